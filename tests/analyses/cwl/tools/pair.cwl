cwlVersion: v1.2
class: CommandLineTool
baseCommand: echo
arguments: [$(inputs.left) and $(inputs.right)]
inputs:
  left: string
  right: string
  name: {type: string, default: pair.txt}
outputs:
  said: {type: File, outputBinding: {glob: $(inputs.name)}}
stdout: $(inputs.name)
