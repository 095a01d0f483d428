# A unit that shows the harness every way in which a test may end.
start_server {tags {"broken"}} {
    test "a wrong expectation" {
        r set key 1
        assert_equal 2 [r get key]
    }

    test "a wrong result" {
        r get key
    } {3}

    test "an error from the store" {
        r incr key extra
    }

    r nosuchcommand

    test "a test behind an error outside of any test" {
        r get key
    } {1}

    test "a test whose tags rule it out" {
        fail "it was run"
    } {} {needs:debug}
}

start_server {} {
    test "a test in another block" {
        r dbsize
    } {0}
}
