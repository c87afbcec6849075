cwlVersion: v1.0
class: CommandLineTool
doc: A pipe of the shell, its streams, and what it sees of its environment.
requirements:
  - class: ShellCommandRequirement
  - class: EnvVarRequirement
    envDef:
      - {envName: LUMINOSITY, envValue: $(inputs.luminosity) fb}
      - {envName: KIND, envValue: "it's data"}
inputs:
  luminosity: {type: float, inputBinding: {position: 3}}
  data: {type: File}
  quoted: {type: string, inputBinding: {position: 2}}
baseCommand: cat
arguments:
  - {position: 1, shellQuote: false, valueFrom: "- && echo"}
  - {position: 4, shellQuote: false, valueFrom: "| tr a-z A-Z && echo \"$LUMINOSITY\" \"$KIND\" && echo trouble >&2"}
stdin: $(inputs.data.path)
stdout: said.txt
stderr: $(inputs.data.nameroot).err
outputs:
  said: stdout
  trouble: stderr
