rule count:
    input:
        "data/{name}.txt",
    output:
        "results/parts/{name}.txt",
    log:
        "logs/{name}.log",
    container:
        "docker://bash:5"
    params:
        times=config["times"],
    shell:
        "set -euo pipefail; mkdir -p results/parts logs; echo counting {wildcards.name} > {log}; "
        "for i in $(seq {params.times}); do cat {input}; done > {output}"
