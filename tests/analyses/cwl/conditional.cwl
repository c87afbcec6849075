cwlVersion: v1.2
class: Workflow
doc: Steps that run or don't, and what takes their place.
requirements:
  MultipleInputFeatureRequirement: {}
  StepInputExpressionRequirement: {}
  ScatterFeatureRequirement: {}
inputs:
  fast: boolean
  slow: boolean
  flags: boolean[]
outputs:
  first:
    type: File
    outputSource: [fast/said, slow/said]
    pickValue: first_non_null
  only:
    type: File
    outputSource: [slow/said, third/said]
    pickValue: the_only_non_null
  all:
    type: File[]
    outputSource: [fourth/said, slow/said]
    pickValue: all_non_null
  scattered:
    type: File[]
    outputSource: scattered/said
    pickValue: all_non_null
  skipped: {type: File?, outputSource: slow/said}
steps:
  fast:
    run: tools/words.cwl
    when: $(inputs.wanted)
    in: {wanted: fast, words: {default: fast}}
    out: [said]
  slow:
    run: tools/words.cwl
    when: $(inputs.wanted)
    in: {wanted: slow, words: {default: slow}}
    out: [said]
  third:
    run: tools/words.cwl
    in: {words: {default: [third, one]}}
    out: [said]
  fourth:
    run: tools/words.cwl
    in: {words: {default: fourth}}
    out: [said]
  scattered:
    run: tools/words.cwl
    scatter: wanted
    when: $(inputs.wanted)
    in: {wanted: flags, words: {valueFrom: "wanted: $(inputs.wanted)"}}
    out: [said]
