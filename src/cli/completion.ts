import { Command } from 'commander'
import { print } from './terminal.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** What can be typed behind a command: the names below it and its flags, with their descriptions. */
interface Place {
  /** `postern token create`. */
  readonly path: string
  readonly words: readonly { readonly word: string; readonly description: string }[]
}

/** `postern completion SHELL`: a script drawn from the commands themselves, and so from the table of methods. */
export function completionCommand(): Command {
  return new Command('completion')
    .description('Print a completion script: source <(postern completion bash)')
    .argument('<shell>', SHELLS.join(', '))
    .action((shell: string, _options: object, self: Command) => {
      const places = placesBelow(self.parent as Command, 'postern')
      if (!isShell(shell))
        self.error(`error: unknown shell ${shell}; there are ${SHELLS.join(', ')}`, { exitCode: 2 })
      else print(SCRIPTS[shell](places))
    })
}

function isShell(name: string): name is Shell {
  return (SHELLS as readonly string[]).includes(name)
}

function placesBelow(command: Command, path: string): Place[] {
  const below = command.commands.map((one) => ({ word: one.name(), description: one.description() }))
  const flags = command.options.map(({ long, description }) => ({ word: long ?? '', description }))
  const words = [...below, ...flags, { word: '--help', description: 'display help' }]
  return [{ path, words }, ...command.commands.flatMap((one) => placesBelow(one, `${path} ${one.name()}`))]
}

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish }

/** The longest path that the words typed so far begin with decides what is offered. */
function bash(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, words }) => `    '${path}') echo '${words.map(({ word }) => word).join(' ')}' ;;`,
  )
  return `# bash completion for postern
_postern_words() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_postern() {
  local path=postern found word i
  found=$(_postern_words "$path")
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if _postern_words "$path $word" >/dev/null; then
      path="$path $word"
      found=$(_postern_words "$path")
    fi
  done
  mapfile -t COMPREPLY < <(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _postern postern`
}

function zsh(places: readonly Place[]): string {
  const escaped = (text: string) => text.replaceAll("'", "'\\''").replaceAll(':', '\\:')
  const described = ({ word, description }: Place['words'][number]) =>
    `'${escaped(word)}:${escaped(description)}'`
  const cases = places.map(({ path, words }) => `    '${path}') reply=(${words.map(described).join(' ')}) ;;`)
  return `#compdef postern
# zsh completion for postern
_postern_words() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_postern() {
  local path=postern i
  local -a reply found
  _postern_words $path && found=("\${reply[@]}")
  for ((i = 2; i < CURRENT; i++)); do
    if _postern_words "$path $words[i]"; then
      path="$path $words[i]"
      found=("\${reply[@]}")
    fi
  done
  _describe postern found || _files
}
compdef _postern postern`
}

function fish(places: readonly Place[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = places.flatMap(({ path, words }) =>
    words.map(({ word, description }) => {
      const condition = `-n ${quoted(`__postern_at ${quoted(path)}`)}`
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${quoted(word)}`
      return `complete -c postern ${condition} ${what} -d ${quoted(description)}`
    }),
  )
  const paths = places.map(({ path }) => quoted(path)).join(' ')
  return `# fish completion for postern
set -g __postern_paths ${paths}
function __postern_at
    set -l path postern
    for word in (commandline -opc)[2..-1]
        contains -- "$path $word" $__postern_paths; and set path "$path $word"
    end
    test "$path" = "$argv[1]"
end
${lines.join('\n')}`
}
