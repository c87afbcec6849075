cwlVersion: v1.1
class: Workflow
doc: A workflow in a workflow, scattered, with a scatter in it whose size differs.
requirements:
  - class: ScatterFeatureRequirement
  - class: SubworkflowFeatureRequirement
inputs:
  - {id: groups, type: {type: array, items: {type: array, items: string}}}
  - {id: names, type: "string[]"}
outputs:
  - {id: merged, type: "File[]", outputSource: each/merged}
  - {id: whole, type: File, outputSource: all/summary}
steps:
  - id: each
    run: tools/group.cwl
    scatter: [members, name]
    scatterMethod: dotproduct
    in:
      - {id: members, source: groups}
      - {id: name, source: names}
    out: [merged]
  - id: all
    run: tools/summarise.cwl
    in: {samples: each/merged, title: {default: all}}
    out: [{id: summary}]
