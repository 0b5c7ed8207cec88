# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of allotctl for bash: nouns, verbs, options, and the values that can be known without a
# server. It needs nothing but bash.
#
# One line for each command: its words, its options, its operands, with ';' between them. An option
# with a value is followed by '=' and the name of the value. script/generate writes these lists.
# generated: commands
_allotctl_commands='letter list;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --limit=N --output=FORM --json --no-pager --from-queue --queue=QUEUE --help;
letter show;--config=FILE --context=NAME --uri=URI --uri-file=FILE --output=FORM --json --no-pager --body=FILE|- --help;ID
letter groups;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --limit=N --output=FORM --json --no-pager --help;
letter replay;--config=FILE --context=NAME --uri=URI --uri-file=FILE --database-uri=URI --database-uri-file=FILE --policy=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --all --dry-run --yes --rate=N --stop-at-failures=N --timeout=DURATION --new-key --keep-deadline --keep-expiration --keep-reply-to --continue=RUN --output=FORM --json --help;[ID]...
letter edit;--config=FILE --context=NAME --uri=URI --uri-file=FILE --database-uri=URI --database-uri-file=FILE --policy=FILE --body=FILE --keep-reply-to --yes --help;ID
letter resolve;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --all --note=TEXT --yes --help;[ID]...
letter discard;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --all --note=TEXT --yes --help;[ID]...
letter reopen;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --all --note=TEXT --yes --help;[ID]...
letter export;--config=FILE --context=NAME --uri=URI --uri-file=FILE --reason=REASON --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --group=ID --state=STATE --since=TIME --until=TIME --text=TEXT --all --help;[ID]...
letter import;--config=FILE --context=NAME --uri=URI --uri-file=FILE --database-uri=URI --database-uri-file=FILE --from-queue --queue=QUEUE --limit=N --dry-run --help;[FILE|-]
outcome show;--config=FILE --context=NAME --uri=URI --uri-file=FILE --principal=USER --output=FORM --json --help;KEY
dead list;--config=FILE --context=NAME --uri=URI --uri-file=FILE --queue=QUEUE --limit=N --output=FORM --json --no-pager --help;
send;--config=FILE --context=NAME --uri=URI --uri-file=FILE --key=PREFIX --reply-to=QUEUE --timeout=DURATION --no-wait --exchange=EXCHANGE --routing-key=KEY --help;[FILE|-]
topology declare;--config=FILE --context=NAME --uri=URI --uri-file=FILE --help;
topology check;--config=FILE --context=NAME --uri=URI --uri-file=FILE --management-uri=URI --help;
web;--config=FILE --context=NAME --uri=URI --uri-file=FILE --database-uri=URI --database-uri-file=FILE --policy=FILE --listen=ADDRESS:PORT --read-only --help;
audit;--config=FILE --context=NAME --uri=URI --uri-file=FILE --repair --help;
provider list;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --prefix=TEXT --limit=N --no-pager --help;
provider show;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --limit=N --no-pager --help;PROVIDER
provider create;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --uuid=UUID --parent=NAME|UUID --help;NAME
provider set-inventory;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --resource=CLASS=TOTAL[:KEY=VALUE,...] --generation=N --yes --help;PROVIDER
provider delete;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --yes --help;PROVIDER
consumer show;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --no-pager --help;CONSUMER
allocate;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --resource=CLASS=AMOUNT --provider=NAME|UUID --project=PROJECT --user=USER --type=TYPE --generation=N --help;CONSUMER
move;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --from=NAME|UUID --to=NAME|UUID --help;CONSUMER
release;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --key=KEY --generation=N --yes --help;CONSUMER
usage;--config=FILE --context=NAME --uri=URI --uri-file=FILE --timeout=DURATION --output=FORM --json --user=USER --type=TYPE --no-pager --help;PROJECT
policy check;--config=FILE --context=NAME --policy=FILE --output=FORM --json --no-pager --help;
policy test;--config=FILE --context=NAME --policy=FILE --principal=USER --command=COMMAND --project=PROJECT --provider=UUID --reply-to=QUEUE --output=FORM --json --help;
'
_allotctl_states='open replayed resolved discarded '
_allotctl_forms='table wide json '
_allotctl_requests='provider.create provider.update provider.delete provider.get provider.list provider.allocations inventory.set allocation.set allocation.batch allocation.delete allocation.get usage.get reshape '
_allotctl_reasons='too_large malformed missing_message_id unauthenticated unsupported_version unknown_command invalid idempotency_key_reused attempts_exhausted forbidden deadline_exceeded limit_exceeded consumer_generation_conflict consumer_not_found provider_exists provider_not_found provider_name_taken invalid_parent provider_generation_conflict provider_has_children provider_in_use inventory_in_use inventory_not_found constraint_violation capacity_exceeded internal expired rejected delivery_limit maxlen unreadable unknown'
# end generated

# Sets COMPREPLY to those of the words that begin with $1.
_allotctl_words() {
  mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_allotctl_files() {
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
  compopt -o filenames 2>/dev/null # a folder gets a slash, and blanks are quoted
}

# The names of the contexts that the user has.
_allotctl_contexts() {
  sed -nE 's/^[[:space:]]*(-[[:space:]]*)?(\{[[:space:]]*)?name:[[:space:]]*["'\'']?([^"'\'',}#]*[^"'\'',}#[:space:]]).*/\3/p' \
    "${XDG_CONFIG_HOME:-$HOME/.config}/allot/allotctl.yaml" 2>/dev/null
}

# _allotctl_value CURRENT OPTION OPTIONS: completes the value of an option. Returns 1 if it has none.
_allotctl_value() {
  local option
  for option in $3; do
    case $option in
      "$2=FILE"*) _allotctl_files "$1" ;;
      "$2=STATE") _allotctl_words "$1" "$_allotctl_states" ;;
      "$2=FORM") _allotctl_words "$1" "$_allotctl_forms" ;;
      "$2=REASON") _allotctl_words "$1" "$_allotctl_reasons" ;;
      "$2=COMMAND") _allotctl_words "$1" "$_allotctl_requests" ;;
      --context=NAME) [ "$2" = --context ] || continue
        _allotctl_words "$1" "$(_allotctl_contexts)" ;;
      "$2="*) ;; # no list has its values
      *) continue ;;
    esac
    return 0
  done
  return 1
}

# _allotctl_rest CURRENT PREVIOUS OPTIONS OPERANDS: completes what is behind the words of a command.
_allotctl_rest() {
  local option names=''
  [[ $2 == --* ]] && _allotctl_value "$1" "$2" "$3" && return
  if [[ $1 == -* ]]; then
    for option in $3; do names+="${option%%=*} "; done
    _allotctl_words "$1" "$names"
  elif [[ $4 == *FILE* ]]; then
    _allotctl_files "$1"
  fi
}

_allotctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local noun=${COMP_WORDS[1]} verb=${COMP_WORDS[2]:-} words options operands first=''
  COMPREPLY=()
  # bash takes --option=value apart into three words.
  if [ "$current" = = ]; then
    current=''
  elif [ "$previous" = = ]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  while IFS=';' read -r words options operands; do
    [ -n "$words" ] || continue
    if [ "$COMP_CWORD" -eq 1 ]; then
      [[ " $first" == *" ${words%% *} "* ]] || first+="${words%% *} "
    elif [ "$words" = "$noun" ] || { [ "$COMP_CWORD" -gt 2 ] && [ "$words" = "$noun $verb" ]; }; then
      _allotctl_rest "$current" "$previous" "$options" "$operands"
      return
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${words%% *}" = "$noun" ]; then
      first+="${words#* } "
    fi
  done <<<"$_allotctl_commands"
  [ "$COMP_CWORD" -gt 2 ] && return
  [[ $current == -* ]] && first='--help'
  [[ $current == -* && $COMP_CWORD -eq 1 ]] && first='--help --version'
  _allotctl_words "$current" "$first"
}

complete -F _allotctl allotctl
