# Completion of netalias(8) for bash: netalias itself says what may follow.

_netalias() {
	local line=${COMP_LINE:0:COMP_POINT} cut="" words
	# COMP_WORDS is split at colons, and a name has one.
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	local last=${words[-1]}
	[[ $last == *:* && $COMP_WORDBREAKS == *:* ]] && cut=${last%:*}:
	local IFS=$'\n'
	COMPREPLY=($(netalias complete -- "${words[@]:1}" 2>/dev/null))
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
	# The name of a main device goes on with a slot.
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
	return 0
}
complete -o default -o nosort -F _netalias netalias
