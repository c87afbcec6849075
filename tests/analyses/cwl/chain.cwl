#!/usr/bin/env cwl-runner
# Two tools in files of their own: a number made here, squared there.
cwlVersion: v1.2
class: Workflow
inputs:
  events: int
  label:
    type: string
    default: signal
  seed: long?
outputs:
  sample:
    type: File
    outputSource: generate/sample
  summary:
    type: File
    outputSource: summarise/summary
steps:
  generate:
    run: tools/generate.cwl
    in:
      events: events
      label: label
      seed: seed
    out: [sample]
  summarise:
    run: tools/summarise.cwl
    in:
      samples:
        source: [generate/sample]
        linkMerge: merge_nested
      title: label
    out: [summary]
requirements:
  MultipleInputFeatureRequirement: {}
