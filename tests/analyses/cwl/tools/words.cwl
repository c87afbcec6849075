cwlVersion: v1.2
class: CommandLineTool
doc: Writes the words that it is given, one a line.
baseCommand: [sh, -c, 'for word; do echo "$word"; done', sh]
inputs:
  words:
    type: Any
    inputBinding: {position: 1}
outputs:
  said: stdout
stdout: said.txt
