cwlVersion: v1.1
class: Workflow
requirements:
  ScatterFeatureRequirement: {}
inputs:
  members: string[]
  name: string
outputs:
  merged: {type: File, outputSource: merge/summary}
steps:
  member:
    run: words.cwl
    scatter: words
    in: {words: members}
    out: [said]
  merge:
    run: summarise.cwl
    in: {samples: member/said, title: name}
    out: [summary]
