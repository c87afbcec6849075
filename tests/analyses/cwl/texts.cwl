cwlVersion: v1.2
class: Workflow
doc: The text of files decides on values; literal files; steps that read what others wrote.
requirements:
  StepInputExpressionRequirement: {}
  MultipleInputFeatureRequirement: {}
inputs:
  card: {type: File, loadContents: true}
  literal: File
outputs:
  literal: {type: File, outputSource: copy/summary}
  said: {type: File, outputSource: say/said}
  again: {type: File, outputSource: again/said}
steps:
  copy:
    run: tools/summarise.cwl
    in: {samples: {source: [literal], linkMerge: merge_nested}, title: {default: literal}}
    out: [summary]
  say:
    run: tools/words.cwl
    in: {card: card, words: {valueFrom: "card: $(inputs.card.contents)"}}
    out: [said]
  again:
    run: tools/words.cwl
    in: {written: {source: say/said, loadContents: true}, words: {valueFrom: $(inputs.written.contents)}}
    out: [said]
