cwlVersion: v1.1
class: Workflow
doc: A part of it stands in another file, and steps and tools need things of their own.
requirements:
  - $import: tools/variables.yml
inputs:
  words: {type: "string[]", default: [b, c]}
outputs:
  said: {type: File, outputSource: say/said}
steps:
  say:
    run: tools/environment.cwl
    requirements:
      EnvVarRequirement: {envDef: {WHERE: step}}
    in: {words: words}
    out: [said]
