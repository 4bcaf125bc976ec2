#!/bin/sh
# completions.sh BIN SHARE CTR: writes completions for bash, zsh and fish beneath SHARE, for each tool in BIN and for the
# wrapper under its name CTR. They are made of what `-h` prints, which is made of the tables that flags are read by.
# shellcheck disable=SC2016 # what is printed is for other shells
set -eu
bin=$1 share=$2 ctr=$3
PATH=$bin:$PATH
bash=$share/bash-completion/completions zsh=$share/zsh/site-functions fish=$share/fish/vendor_completions.d
mkdir -p "$bash" "$zsh" "$fish"

# flags: from a help text, a line for each flag: short TAB long TAB value TAB help.
flags() {
	awk '
		/^ *(-.,)? *--[a-z]/ {
			short = long = value = help = ""
			rest = $0
			sub(/^ */, "", rest)
			if (rest ~ /^-.,/) { short = substr(rest, 2, 1); rest = substr(rest, 5) }
			sub(/^ */, "", rest)
			match(rest, /^--[a-z0-9-]+/)
			long = substr(rest, 3, RLENGTH - 2)
			rest = substr(rest, RLENGTH + 1)
			if (match(rest, /^[ =]?\[?=?<[^>]*>\]?/)) { value = "VALUE"; rest = substr(rest, RLENGTH + 1) }
			sub(/^\.*  */, "", rest)
			gsub(/[][`"\\$'\''<>:]/, "", rest)
			printf "%s\t%s\t%s\t%s\n", short, long, value, rest
		}'
}
# words: of the flags on stdin, as they are typed.
words() { awk -F '\t' '{ if ($1 != "") printf "-%s ", $1; printf "--%s ", $2 }'; }
# zsh_arguments: of the flags on stdin, the arguments of zsh's _arguments.
zsh_arguments() {
	awk -F '\t' '{
		value = $3 == "" ? "" : ":" tolower($3) ":_default"
		printf " \\\n\t\"--%s[%s]%s\"", $2, $4, value
		if ($1 != "") printf " \\\n\t\"-%s[%s]%s\"", $1, $4, value
	}'
}
# fish_lines NAME CONDITION: of the flags on stdin, one line each.
fish_lines() {
	awk -F '\t' -v name="$1" -v condition="$2" '{
		printf "complete -c %s%s -l %s", name, condition, $2
		if ($1 != "") printf " -s %s", $1
		if ($3 != "") printf " -r"
		printf " -d \"%s\"\n", $4
	}'
}

for path in "$bin"/img-* "$bin"/overlay-* "$bin"/ns-* "$bin"/ctr-*; do
	tool=${path##*/}
	case $tool in *.d | *\**) continue ;; esac
	[ -x "$path" ] || continue
	help=$("$path" -h | flags)
	echo "complete -o default -W '$(echo "$help" | words)' $tool" >"$bash/$tool"
	printf '#compdef %s\n_arguments -s%s \\\n\t"*:file:_default"\n' "$tool" "$(echo "$help" | zsh_arguments)" >"$zsh/_$tool"
	echo "$help" | fish_lines "$tool" "" >"$fish/$tool.fish"
done

# The wrapper: its commands, then the flags of the one that was typed.
wrapper=$(dirname "$0")/ctr/ctr
commands=$("$wrapper" --help | awk '/^Commands:/ { on = 1; next } /^[^ ]/ { on = 0 } on && /^  [a-z]/ { print $1 }')
{
	printf '_%s() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} words\n\tcase ${COMP_WORDS[1]} in\n' "$ctr"
	for command in $commands; do
		printf '\t%s) words="%s" ;;\n' "$command" "$("$wrapper" "$command" --help 2>/dev/null | flags | words)"
	done
	printf '\t*) words="%s" ;;\n\tesac\n' "$(echo "$commands" | tr '\n' ' ')"
	printf '\t[ "$COMP_CWORD" -gt 1 ] || words="%s"\n' "$(echo "$commands" | tr '\n' ' ')"
	printf '\tCOMPREPLY=($(compgen -W "$words" -- "$word"))\n}\ncomplete -o default -F _%s %s\n' "$ctr" "$ctr"
} >"$bash/$ctr"
{
	printf '#compdef %s\nif ((CURRENT == 2)); then\n\t_values command %s\n\treturn\nfi\n' "$ctr" "$(echo "$commands" | tr '\n' ' ')"
	printf 'case $words[2] in\n'
	for command in $commands; do
		printf '%s)\n_arguments -s%s \\\n\t"*:argument:_default" ;;\n' "$command" \
			"$("$wrapper" "$command" --help 2>/dev/null | flags | zsh_arguments)"
	done
	printf 'esac\n'
} >"$zsh/_$ctr"
for command in $commands; do
	printf 'complete -c %s -n __fish_use_subcommand -f -a %s\n' "$ctr" "$command"
	"$wrapper" "$command" --help 2>/dev/null | flags | fish_lines "$ctr" " -n \"__fish_seen_subcommand_from $command\""
done >"$fish/$ctr.fish"
