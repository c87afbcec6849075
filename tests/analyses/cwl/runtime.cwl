cwlVersion: v1.2
class: CommandLineTool
doc: What a tool asks for and is told, and a status that isn't 0 and is all right.
requirements:
  ResourceRequirement: {coresMin: 1.5, ramMin: $(inputs.memory), outdirMin: 20}
hints:
  SoftwareRequirement: {packages: {root: {version: ["6.30"]}}}
  NetworkAccess: {networkAccess: true}
inputs:
  memory: int
baseCommand: [sh, -c]
arguments:
  - test "$1" = "$PWD" && test "$HOME" = "$PWD" && test "$2" = "$TMPDIR" && touch "$2/x" && shift 2 && echo "$@" > said.txt && exit 7
  - sh
  - $(runtime.outdir)
  - $(runtime.tmpdir)
  - $(runtime.cores)
  - $(runtime.ram)
  - $(runtime.outdirSize)
  - $(runtime.tmpdirSize)
successCodes: [0, 7]
outputs:
  said: {type: File, outputBinding: {glob: $(runtime.outdir)/said.txt}}
