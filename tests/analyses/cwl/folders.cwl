cwlVersion: v1.2
class: Workflow
doc: Folders given, made, and handed on.
inputs:
  folder: Directory
  card:
    type: File
    default: {class: File, location: inputs/data.log}
outputs:
  made: {type: Directory, outputSource: make/made}
  listed: {type: File, outputSource: list/listed}
  given: {type: File, outputSource: card}
steps:
  make:
    in: {folder: folder, card: card}
    out: [made]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'mkdir -p made/deep; cp -r "$1" made/deep/copy; cp "$2" made', sh]
      inputs:
        folder: {type: Directory, inputBinding: {position: 1}}
        card: {type: File, inputBinding: {position: 2}}
      outputs:
        made: {type: Directory, outputBinding: {glob: made}}
  list:
    in: {folder: make/made}
    out: [listed]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'cd "$0" && find -L . -type f | sort']
      arguments: [$(inputs.folder.path)]
      inputs: {folder: Directory}
      outputs: {listed: stdout}
      stdout: $(inputs.folder.basename).list
