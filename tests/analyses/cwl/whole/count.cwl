cwlVersion: v1.0
class: CommandLineTool
doc: Tells what it hands out itself, and that is no file.
baseCommand: [sh, -c, 'echo "{\"number\": 3}" > cwl.output.json']
inputs: {}
outputs: {number: int}
