cwlVersion: v1.2
class: Workflow
doc: What is known only once a job has run - files by a pattern, a number in a file - decides on further jobs.
requirements:
  ScatterFeatureRequirement: {}
  InlineJavascriptRequirement: {}
inputs:
  parts: int
outputs:
  each: {type: "File[]", outputSource: each/said}
  first: {type: File, outputSource: split/first}
  last: {type: File?, outputSource: split/last}
  told: {type: string, outputSource: split/told}
  repeated: {type: File, outputSource: repeat/said}
steps:
  split:
    in: {parts: parts}
    out: [pieces, first, last, told]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'for part in `seq "$1"`; do echo "part $part" > "piece-$part.txt"; done; printf 4 > told', sh]
      inputs:
        parts: {type: int, inputBinding: {}}
      outputs:
        pieces: {type: "File[]", outputBinding: {glob: ["piece-[12].txt", "piece-3*"]}}
        first: {type: File, outputBinding: {glob: "*-1.txt"}}
        last: {type: File?, outputBinding: {glob: last.txt}}
        told: {type: string, outputBinding: {glob: told, loadContents: true, outputEval: "$(self[0].contents)"}}
  each:
    scatter: piece
    in: {piece: split/pieces}
    out: [said]
    run:
      class: CommandLineTool
      baseCommand: rev
      inputs:
        piece: {type: File, inputBinding: {}}
      outputs:
        said: stdout
      stdout: $(inputs.piece.nameroot).rev
  repeat:
    in: {words: split/told}
    out: [said]
    run: tools/words.cwl
