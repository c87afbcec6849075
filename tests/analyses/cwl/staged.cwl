cwlVersion: v1.2
class: CommandLineTool
doc: Files that lie in the job's folder before the command begins.
requirements:
  InitialWorkDirRequirement:
    listing:
      - $(inputs.folder)
      - entry: $(inputs.data)
        entryname: as/$(inputs.name)
        writable: true
      - entryname: card.txt
        entry: |
          name = $(inputs.name)
          cost = \$(5)
      - entryname: values.json
        entry: $(inputs.numbers)
      - $(inputs.others)
baseCommand: [sh, -c]
arguments:
  - cat card.txt values.json folder/inner/deep.txt data.log "$1" "$2"; echo more >> "$1"; cat "$1"
  - sh
  - $(inputs.data.path)
  - as/$(inputs.name)
inputs:
  data: File
  folder: Directory
  others: File[]
  name: string
  numbers: int[]
outputs:
  said: {type: File, outputBinding: {glob: said.txt}}
  card: {type: File, outputBinding: {glob: card.txt}}
stdout: said.txt
