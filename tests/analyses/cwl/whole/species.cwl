cwlVersion: v1.2
class: Workflow
doc: Named types and outputs in fields of a record, which aren't compiled.
requirements:
  SchemaDefRequirement:
    types:
      - $import: sample.yml
inputs:
  sample: sample.yml#sample
outputs:
  said: {type: File, outputSource: say/said}
steps:
  say:
    run: say.cwl
    in: {sample: sample}
    out: [said]
