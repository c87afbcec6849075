cwlVersion: v1.2
class: CommandLineTool
requirements:
  SchemaDefRequirement:
    types:
      - $import: sample.yml
baseCommand: cat
arguments: [$(inputs.sample.data.path)]
inputs:
  sample: sample.yml#sample
outputs:
  said: stdout
stdout: $(inputs.sample.label).txt
