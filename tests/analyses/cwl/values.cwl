cwlVersion: v1.2
class: Workflow
doc: Outputs that are no files, a tool that leaves nothing, and a value handed on as it came.
inputs:
  mass: {type: int, default: 2500}
outputs:
  mass: {type: int, outputSource: mass}
  limit: {type: string, outputSource: fit/limit}
steps:
  fit:
    in: {mass: mass}
    out: [limit]
    run:
      class: CommandLineTool
      baseCommand: [printf, "%s fb"]
      inputs: {mass: {type: int, inputBinding: {}}}
      stdout: limit.txt
      outputs:
        limit: {type: string, outputBinding: {glob: limit.txt, loadContents: true, outputEval: "$(self[0].contents)"}}
  quiet:
    in: {mass: mass}
    out: []
    run:
      class: CommandLineTool
      baseCommand: "true"
      inputs: {mass: int}
      outputs: []
