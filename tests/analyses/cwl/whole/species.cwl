cwlVersion: v1.2
class: Workflow
doc: Files that a tool may change where they lie, which isn't compiled.
requirements:
  SchemaDefRequirement:
    types:
      - $import: sample.yml
  InplaceUpdateRequirement: {inplaceUpdate: false}
inputs:
  sample: sample.yml#sample
outputs:
  said: {type: File, outputSource: say/said}
steps:
  say:
    run: say.cwl
    in: {sample: sample}
    out: [said]
