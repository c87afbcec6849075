rule reduce:
    input:
        program=f"{SCRIPTS}/reduce.py",
        detector="workflows/dilepton/detector.yaml",
        events=events_file,
    output:
        ntuple=f"{OUTPUT}/reduction/{{stream}}/{{sample}}.{{part}}.root",
    log:
        f"{OUTPUT}/logs/reduction/{{stream}}/{{sample}}.{{part}}.log",
    priority: 1
    conda:
        "../../../envs/analysis.yaml"
    container:
        image("analysis")
    params:
        options=reduction_options,
    shell:
        "set -euo pipefail; mkdir -p $(dirname {output.ntuple}) $(dirname {log}); "
        "python {input.program} {params.options} --input {input.events:q} "
        "--detector {input.detector} --output {output.ntuple} > {log} 2>&1"
