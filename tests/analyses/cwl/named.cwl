cwlVersion: v1.2
class: Workflow
requirements:
  ScatterFeatureRequirement: {}
  SchemaDefRequirement:
    types:
      - $import: tools/named.yml
      - {name: number, type: record, fields: {n: int}}
inputs:
  samples: {type: {type: array, items: tools/named.yml#sample}}
  one: {type: 'tools/named.yml#sample?'}
  count: '#number'
outputs:
  said: {type: 'File[]', outputSource: say/said}
steps:
  say:
    scatter: sample
    in: {sample: samples, count: count}
    out: [said]
    run:
      class: CommandLineTool
      requirements:
        SchemaDefRequirement: {types: [{$import: tools/named.yml}]}
      baseCommand: echo
      inputs:
        sample: {type: 'tools/named.yml#sample', inputBinding: {position: 1}}
        count: Any
      arguments: [{position: 2, valueFrom: $(inputs.count.n)}, {position: 3, valueFrom: $(inputs.sample.kind)}]
      outputs: {said: stdout}
      stdout: $(inputs.sample.label).txt
