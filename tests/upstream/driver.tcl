# Runs one unit of Redis' own tests against a server that is already there, and prints one line per event:
# a word, a name, and what was wrong, with tabs between. The word is one of
#   begin, ok, err       a test; every one that begins ends as one of the other two
#   ignore               a test or block whose tags rule it out
#   outside              an error in a block, outside of any test
#   done                 the unit came to its end
#
#   tclsh driver.tcl <folder of the suite> <host> <port> <unit> [<option of the suite> ...]
#
# The suite itself stops a block, or the whole unit, at the first error outside of a test. Here each command of a
# block is run for itself, so that such an error is told and hides nothing behind it.

lassign $argv folder host port unit
set driver_options [lrange $argv 4 end]
cd $folder
fconfigure stdout -encoding binary -translation lf -buffering line

# The end of the suite's main file would start its own scheduler.
set argv [list --host $host --port $port --singledb --ignore-encoding --ignore-digest --durable \
    --tags "-needs:debug -needs:repl -needs:save -needs:pfdebug" {*}$driver_options]
set channel [open tests/test_helper.tcl]
set text [read $channel]
close $channel
set end [string last "\nif {\$::client} {" $text]
if {$end < 0} {
    error "the main file of the suite has no such end"
}
eval [string range $text 0 $end]

proc told {word args} {
    puts [join [lmap field [list $word {*}$args] {string map {"\\" "\\\\" "\n" "\\n" "\t" "\\t" "\r" "\\r"} $field}] \t]
}

# What the suite would send to its scheduler.
proc send_data_packet {fd status data {elapsed 0}} {
    switch $status {
        testing {told begin $data}
        ok {told ok $data $elapsed}
        ignore {told ignore $data}
        err {
            set mark [string first " in $::curfile" $data]
            if {$mark < 0} {
                told outside $data
                return
            }
            set wrong [string range $data [string first \n $data $mark]+1 end]
            told err [string range $data 0 $mark-1] $wrong
            # What a broken test left unread must not become the replies of the next.
            if {[catch resume]} {
                catch {reconnect}
            }
        }
    }
}
set ::test_server_fd none

# Puts the connection that tests share back to what it was outside of the test that failed on it.
proc resume {} {
    set channel [r channel]
    puts -nonewline $channel "RESET\r\nHELLO $::spoken\r\nPING resumed\r\n"
    flush $channel
    while {[gets $channel] ne "resumed\r"} {
        if {[eof $channel]} {
            error "the connection is closed"
        }
    }
}

# Runs each command of a block for itself.
proc each_command {script} {
    set command ""
    foreach line [split $script \n] {
        append command $line \n
        if {[string index $line end] eq "\\" || ![info complete $command]} {
            continue
        }
        set code [catch {uplevel 1 $command} message details]
        if {$code == 1} {
            told outside "$message: [string trim [string range $command 0 200]]"
        } elseif {$code != 0} {
            return -options $details $message
        }
        set command ""
    }
}

rename tags upstream_tags
proc tags {tags code} {
    uplevel 1 [list upstream_tags $tags [list each_command $code]]
}

rename start_server upstream_start_server
proc start_server {options {code undefined}} {
    uplevel 1 [list upstream_start_server $options [list each_command $code]]
}

# Whether the server has a command.
proc has_command {name} {
    set client [redis $::host $::port]
    set found [lindex [$client command info $name] 0]
    $client close
    expr {$found ne {}}
}

set ::spoken 2
set ::has_functions [has_command function]
rename r upstream_r
proc r {args} {
    lassign $args command version
    if {$command eq "hello" && $::cur_test eq ""} {
        set ::spoken $version
    }
    # The suite empties the functions before each block.
    if {$args ne {function flush} || $::has_functions} {
        tailcall upstream_r {*}$args
    }
}

if {![has_command blpop]} {
    # Nobody will ever block, so these need not wait for it.
    proc wait_for_blocked_client {{idx 0}} {
        fail "no command blocks"
    }
    proc wait_for_blocked_clients_count {count {maxtries 100} {delay 10} {idx 0}} {
        if {$count != 0} {
            fail "no command blocks"
        }
    }
}

proc run_unit {} {
    set ::curfile tests/$::unit.tcl
    set channel [open $::curfile]
    set text [read $channel]
    close $channel
    if {!$::has_functions} {
        # The tests of scripts run twice: as functions, and as scripts under the same names.
        set text [string map {"foreach is_eval {0 1}" "foreach is_eval {1}"} $text]
    }
    each_command $text
}

run_unit
told done $::unit
