# Completion of netalias(8) for bash: netalias itself says what may follow.

_netalias() {
	local line=${COMP_LINE:0:COMP_POINT} cut words
	# COMP_WORDS is split at colons and equals signs, and a name or an option has one.
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	local last=${words[-1]}
	local tail=$last
	[[ $COMP_WORDBREAKS == *:* ]] && tail=${tail##*:}
	[[ $COMP_WORDBREAKS == *=* ]] && tail=${tail##*=}
	cut=${last%"$tail"}
	local IFS=$'\n'
	COMPREPLY=($(netalias complete -- "${words[@]:1}" 2>/dev/null))
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
	# The name of a main device goes on with a slot.
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
	return 0
}
complete -o default -o nosort -F _netalias netalias
