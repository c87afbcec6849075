cwlVersion: v1.0
$graph:
  - id: count
    class: CommandLineTool
    baseCommand: [wc, -l]
    inputs:
      - {id: data, type: File}
    outputs:
      - {id: number, type: stdout}
    stdin: $(inputs.data.path)
    stdout: number.txt
  - id: main
    class: Workflow
    inputs:
      - {id: data, type: File}
    outputs:
      - {id: number, type: File, outputSource: "#main/counting/number"}
    steps:
      - id: counting
        run: "#count"
        in: [{id: data, source: "#main/data"}]
        out: [number]
