cwlVersion: v1.1
class: CommandLineTool
baseCommand: [sh, -c, 'echo "$WHERE-${OTHER:-none}" "$@"', sh]
inputs:
  words: {type: "string[]", inputBinding: {position: 1}}
outputs:
  said: stdout
stdout: said.txt
