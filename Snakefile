# The dilepton analysis, from event generation to an exclusion limit.
#
#     snakemake --cores 2 --use-singularity
#     snakemake --cores 2 --use-singularity --configfile workflows/dilepton/config/tiny.yaml


include: "workflows/dilepton/rules/common.smk"
include: "workflows/dilepton/rules/images.smk"
include: "workflows/dilepton/rules/generate.smk"
include: "workflows/dilepton/rules/reduce.smk"
include: "workflows/dilepton/rules/histogram.smk"
include: "workflows/dilepton/rules/fit.smk"


rule all:
    default_target: True
    input:
        rules.fit.output,
