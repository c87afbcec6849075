cwlVersion: v1.2
class: CommandLineTool
doc: Every way in which a value becomes words.
baseCommand: [sh, -c, 'for word; do echo "<$word>"; done', sh]
arguments:
  - first
  - {position: 7, prefix: --late, valueFrom: $(inputs.text)}
  - {position: -1, prefix: --glued=, separate: false, valueFrom: $(inputs.many)}
  - valueFrom: $(inputs.many[1])$(inputs['of a pair'].right)
  - "\\$(not.a.reference) \\\\ \\n $(inputs.count)"
inputs:
  text: {type: string, inputBinding: {position: 2}}
  count: {type: int, inputBinding: {prefix: -n, position: 3}}
  wide: {type: double, inputBinding: {prefix: --wide, separate: false}}
  yes: {type: boolean, inputBinding: {position: 1, prefix: --yes}}
  "no": {type: boolean, inputBinding: {position: 1, prefix: --no}}
  missing: {type: string?, inputBinding: {prefix: --missing}}
  many: {type: "string[]", inputBinding: {position: 4, prefix: --many}}
  joined: {type: "int[]", inputBinding: {position: 4, prefix: --joined, itemSeparator: ","}}
  none: {type: "string[]", inputBinding: {prefix: --none}}
  each:
    type:
      type: array
      items: string
      inputBinding: {prefix: -I, separate: false}
    inputBinding: {position: 5}
  lone:
    type: {type: array, items: string, inputBinding: {prefix: -L}}
  kind:
    type: {type: enum, symbols: [signal, background]}
    inputBinding: {position: 5, prefix: --kind}
  either:
    type: [int, "string[]", string]
    inputBinding: {prefix: --either, itemSeparator: ":"}
  of a pair:
    type:
      type: record
      fields:
        left: {type: string, inputBinding: {prefix: --left}}
        right: {type: int, inputBinding: {prefix: --right, position: -2}}
        file: File
    inputBinding: {position: 6, prefix: --pair}
  grid:
    type: {type: array, items: {type: array, items: int}}
    inputBinding: {position: 8, prefix: --grid}
  data:
    type: File
    inputBinding: {position: 9, valueFrom: $(self.nameroot) $(self.nameext) $(self.basename)}
  switch:
    type: string
    inputBinding: {position: $(inputs.count), valueFrom: $(self)}
outputs:
  said:
    type: stdout
stdout: said.txt
