cwlVersion: v1.2
class: Workflow
doc: One scatter of each kind, one of nothing, and one over what another gave.
requirements:
  ScatterFeatureRequirement: {}
  StepInputExpressionRequirement: {}
  MultipleInputFeatureRequirement: {}
inputs:
  left: string[]
  right: string[]
  nothing: string[]
outputs:
  dotted: {type: "File[]", outputSource: dot/said}
  flat: {type: "File[]", outputSource: flat/said}
  nested: {type: {type: array, items: {type: array, items: File}}, outputSource: nested/said}
  empty: {type: "File[]", outputSource: empty/said}
  lines: {type: "File[]", outputSource: lines/said}
steps:
  dot:
    run: tools/pair.cwl
    scatter: [left, right]
    scatterMethod: dotproduct
    in: {left: left, right: right, name: {default: dot, valueFrom: $(self)-$(inputs.left).txt}}
    out: [said]
  flat:
    run: tools/pair.cwl
    scatter: [left, right]
    scatterMethod: flat_crossproduct
    in: {left: left, right: right}
    out: [said]
  nested:
    run: tools/pair.cwl
    scatter: [left, right]
    scatterMethod: nested_crossproduct
    in: {left: left, right: right}
    out: [said]
  empty:
    run: tools/words.cwl
    scatter: words
    in: {words: nothing}
    out: [said]
  lines:
    run: tools/words.cwl
    scatter: words
    in:
      words: {source: [dot/said, flat/said], linkMerge: merge_flattened, valueFrom: $(self.basename)}
    out: [said]
