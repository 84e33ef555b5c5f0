# Completion of netalias(8) for fish: netalias itself says what may follow, and files where it is silent.

function __netalias_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process) (commandline --current-token --cut-at-cursor)
    set -l found (netalias complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command netalias --no-files --keep-order --arguments '(__netalias_complete)'
