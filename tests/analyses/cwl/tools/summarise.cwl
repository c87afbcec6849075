cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs:
  samples:
    type: File[]
    inputBinding: {position: 1}
  title:
    type: string?
outputs:
  summary:
    type: stdout
stdout: $(inputs.title).summary.txt
