rule generate:
    input:
        program=f"{SCRIPTS}/generate.py",
        lhe=lhe_file,
    output:
        events=f"{OUTPUT}/generation/{{stream}}/{{sample}}.{{part}}.hepmc.gz",
    log:
        f"{OUTPUT}/logs/generation/{{stream}}/{{sample}}.{{part}}.log",
    # What takes longest and stands first begins first, so that no core waits at the end.
    priority: 2
    conda:
        "../../../envs/generation.yaml"
    container:
        image("generation")
    params:
        options=generation_options,
    shell:
        "set -euo pipefail; mkdir -p $(dirname {output.events}) $(dirname {log}); "
        "python {input.program} {params.options} --output {output.events} > {log} 2>&1"
