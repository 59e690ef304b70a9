// The scripts by which a shell asks `nagaya __complete` what comes next. They hold no command and no option, so that
// they stay right when the command changes under them. The last line of an answer, `:folders`, `:files` or `:none`,
// says which paths the shell adds by itself.

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const bash = `# bash completion for nagaya; load it with: source <(nagaya completion bash)
_nagaya() {
  local current="\${COMP_WORDS[COMP_CWORD]}" line paths=none
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :*) paths="\${line#:}" ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  case "$paths" in
    folders) compopt -o filenames; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$current") ;;
    files) compopt -o filenames; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current") ;;
  esac
}
complete -F _nagaya nagaya
`;

const zsh = `#compdef nagaya
# zsh completion for nagaya; save it as _nagaya in a folder of $fpath, or load it with: source <(nagaya completion zsh)
_nagaya() {
  local line value about paths=none
  local -a found
  while IFS= read -r line; do
    case "$line" in
      :*) paths="\${line#:}" ;;
      *)
        value="\${line%%$'\\t'*}" about="\${line#*$'\\t'}"
        found+=("\${value//:/\\\\:}\${about:+:$about}") ;;
    esac
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe 'nagaya' found
  case "$paths" in
    folders) _files -/ ;;
    files) _files ;;
  esac
  return 0
}
if [ "$funcstack[1]" = "_nagaya" ]; then
  _nagaya "$@"
else
  compdef _nagaya nagaya
fi
`;

const fish = `# fish completion for nagaya; save it as ~/.config/fish/completions/nagaya.fish
function __nagaya_complete
    set -l tokens (commandline -opc)
    set -l current (commandline -ct)
    for line in ($tokens[1] __complete $tokens[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':folders'
                __fish_complete_directories "$current" ''
            case ':files'
                __fish_complete_path "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c nagaya -f -a '(__nagaya_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
