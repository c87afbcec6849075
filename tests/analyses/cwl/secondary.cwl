cwlVersion: v1.2
class: Workflow
doc: Files beside files, given and made.
inputs:
  data:
    type: File
    secondaryFiles: [.idx, ^.log, ".none?"]
outputs:
  indexed: {type: File, outputSource: index/indexed}
  read: {type: File, outputSource: read/said}
steps:
  index:
    in: {data: data}
    out: [indexed]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'cat "$1" "$1.idx" "${1%.txt}.log" > made.dat; echo made > made.dat.idx', sh]
      inputs:
        data: {type: File, secondaryFiles: [.idx, ^.log], inputBinding: {}}
      outputs:
        indexed:
          type: File
          secondaryFiles: [.idx, {pattern: ^.absent, required: false}]
          outputBinding: {glob: made.dat}
  read:
    in: {indexed: index/indexed}
    out: [said]
    run:
      class: CommandLineTool
      baseCommand: cat
      arguments: ["$(inputs.indexed.path)", "$(inputs.indexed.secondaryFiles[0].path)"]
      inputs:
        indexed: {type: File, secondaryFiles: [.idx]}
      outputs:
        said: stdout
      stdout: read.txt
