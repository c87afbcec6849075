cwlVersion: v1.2
class: CommandLineTool
doc: Writes as many lines as there are events.
baseCommand: [sh, -c]
arguments:
  - valueFrom: |
      for event in `seq "$1"`; do echo "$2 $event"; done > "$3"
  - generate
inputs:
  events:
    type: int
    inputBinding: {position: 1}
  label:
    type: string
    inputBinding: {position: 2}
  name:
    type: string
    default: sample.txt
    inputBinding: {position: 3}
  seed:
    type: long?
    inputBinding: {position: 4, prefix: --seed}
outputs:
  sample:
    type: File
    outputBinding: {glob: $(inputs.name)}
