// JinjaLimitsTests: no template hangs, overflows the stack or exhausts the memory, whatever it says.

import Testing

@testable import Text

struct JinjaLimitsTests {
    /// The kind of error that `source` ends in, nil where it renders.
    private func failure(
        _ source: String, _ context: [String: JinjaValue] = [:], limits: JinjaLimits = JinjaLimits()
    ) throws -> ChatTemplateError.Kind? {
        do {
            _ = try ChatTemplate(source: source, specialTokens: [:], limits: limits).render(context: context)
            return nil
        } catch let error as ChatTemplateError {
            return error.kind
        }
    }

    private func many(_ text: String, _ count: Int = 10_000) -> String { String(repeating: text, count: count) }

    @Test func nestingInTheSourceIsBounded() throws {
        let deep = 2000
        for source in [
            "{{ " + many("(", deep) + "1" + many(")", deep) + " }}",
            "{{ " + many("[", deep) + many("]", deep) + " }}",
            "{{ " + many("{1:", deep) + "1" + many("}", deep) + " }}",
            "{{ x" + many("[x", deep) + many("]", deep) + " }}",
            "{{ x" + many("(x", deep) + many(")", deep) + " }}",
            "{{ " + many("not ") + "1 }}",
            "{{ " + many("- ") + "1 }}",
            "{{ 1" + many(" if 1 else 2") + " }}",
            many("{% if 1 %}"),
            many("{% for a in b %}"),
            many("{% macro m() %}"),
            many("{% set x %}"),
            "{% for " + many("(", deep) + "x" + many(")", deep) + " in y %}{% endfor %}",
        ] {
            #expect(try failure(source) == .limit, "\(source.prefix(40))…")
        }
        // A billion brackets are more than a source may have bytes.
        #expect(try failure("{{ " + many("(", JinjaLimits().sourceBytesMax)) == .limit)
        #expect(try failure("{{ " + many("(")) == .syntax)
    }

    @Test func whatIsLongButNotDeepIsNoTrouble() throws {
        #expect(try failure("{{ 1" + many(" + 1") + " }}") == nil)
        #expect(try failure("{{ 1" + many(" and 1") + " }}") == nil)
        #expect(try failure("{{ 'a'" + many("|upper") + " }}") == nil)
        #expect(try failure("{{ 1" + many(" if 1") + " }}") == nil)
        #expect(try failure("{% if 0 %}" + many("{% elif 0 %}") + "{% endif %}") == nil)
        #expect(try failure(many("{#", 1000)) == .syntax)
        #expect(try failure(many("{")) == .syntax)
    }

    @Test func recursionIsBounded() throws {
        for source in [
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro m() %}{% if 1 %}{% for i in [1] %}{% set x %}{{ [(1, m())] }}{% endset %}{% endfor %}{% endif %}"
                + "{% endmacro %}{{ m() }}",
            "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
            "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            // The one filter that calls filters, on the letter that is the text's only item.
            "{{ 'a' | map(*(['map'] * 5000)) | list }}",
        ] {
            #expect(try failure(source) == .limit, "\(source)")
        }
    }

    @Test func recursionAsDeepAsASchemaIsFine() throws {
        let source = """
            {% macro m(n) %}{% if n %}{% for i in [1] %}{{ '[' + m(n - 1) + ']' }}{% endfor %}{% endif %}{% endmacro %}
            {{ m(40) }}
            """
        #expect(try failure(source) == nil)
    }

    @Test func stepsAreBounded() throws {
        let forever = "{% for i in range(100000) %}{% for j in range(100000) %}"
        let ends = "{% endfor %}{% endfor %}"
        let big = JinjaValue.string(many("a", 1 << 20))
        for body in [
            "", "{% set x = j %}", "{% if 'b' in big %}{% endif %}", "{% set x = big.title() %}",
            "{% set x = 'a'.strip(big) %}", "{% set x = {big: 1} %}", "{% set x = {(big, big): 1} %}",
            "{{ '' | default(big) }}",
            "{% set x = big | int %}", "{% set x = 1[big] %}", "{% set x = big is filter %}", "{% set x = big < big %}",
            "{% set x = big | length %}", "{% set x = big[1000000] %}", "{% set x = [] | map(attribute=big) %}",
        ] {
            var limits = JinjaLimits()
            limits.stepsMax = 200_000
            #expect(try failure(forever + body + ends, ["big": big], limits: limits) == .limit, "\(body)")
        }
    }

    @Test func repetitiveNeedlesAreFoundInLinearTime() throws {
        // Tried at every place, this search would compare 250 billion bytes.
        let source = "{{ 'a' * 500000 + 'b' in big }}"
        #expect(try failure(source, ["big": .string(many("a", 1 << 20))]) == nil)
    }

    @Test func memoryIsBounded() throws {
        // Smaller bounds, so that reaching them takes less time.
        var limits = JinjaLimits()
        limits.outputBytesMax = 4 << 20
        limits.allocatedBytesMax = 16 << 20
        for source in [
            "{{ 'a' * 10000000000 }}", "{{ [1] * 10000000000 }}", "{{ (1,) * 10000000000 }}",
            "{{ 'a'.center(10000000000) }}", "{{ 'a'.zfill(10000000000) }}", "{{ '\\t'.expandtabs(10000000000) }}",
            "{{ 'a' | indent(10000000000) }}", "{{ [1] | batch(10000000000, 1) | list }}",
            "{{ [1] | slice(10000000000) | list }}",
            "{{ [1] | slice(9223372036854775807) | list }}", "{{ [1] | batch(9223372036854775807, 1) | list }}",
            "{{ 'a' * 9223372036854775807 }}", "{{ 'ab' | indent(9223372036854775807) }}",
            "{{ [1, 2] * 9223372036854775807 }}", "{{ 'a'.ljust(9223372036854775807) }}",
            "{{ [1] | tojson(indent=10000000000) }}",
            "{{ range(100001) }}", "{{ range(-9223372036854775807, 9223372036854775807) }}",
            "{{ strftime_now('%1000000000d') }}", "{{ strftime_now('%' * 10000) }}",
            "{{ (big | replace('a', big)) }}", "{{ big | join(big) }}",
            "{% for i in range(100000) %}{{ big }}{% endfor %}",
            "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        ] {
            #expect(try failure(source, ["big": .string(many("a", 1 << 20))], limits: limits) == .limit, "\(source)")
        }
        #expect(try failure("{{ '%1000000000d' % 1 }}") == .evaluation)
        #expect(try failure("{{ '{:1000000000}'.format(1) }}") == .evaluation)
    }

    /// Copying all that was gathered so far for each message would build some ten gigabytes here.
    @Test func gatheringALongTextInANamespaceIsNoTrouble() throws {
        let source =
            "{% set ns = namespace(s='') %}{% for i in range(2000) %}{% set ns.s = ns.s ~ text ~ i %}"
            + "{% set ns.s = ns.s + '\\n' %}{% endfor %}{{ ns.s | length }}"
        #expect(try failure(source, ["text": .string(many("word ", 1000))]) == nil)
    }

    /// A list of a list twice over, sixty times, is small to hold and would take an age to look at.
    @Test func sharedPartsAreCountedEachTime() throws {
        let grow =
            "{% set ns = namespace(s=(1,), t=(1,)) %}{% for i in range(60) %}"
            + "{% set ns.s = (ns.s, ns.s) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"
        for use in ["{{ ns.s }}", "{{ ns.s | tojson }}", "{{ ns.s == ns.t }}", "{{ {ns.s: 1} }}", "{{ ns.s < ns.t }}"] {
            var limits = JinjaLimits()
            limits.stepsMax = 500_000
            #expect(try failure(grow + use, limits: limits) == .limit, "\(use)")
        }
    }

    /// Letting go of a value lets go of what it holds, one inside the other: too deep a chain would overflow the stack.
    @Test func chainsOfValuesDoNotOverflowTheStack() throws {
        func chain(_ step: String) -> String {
            "{% set ns = namespace(s=none) %}{% for i in range(20000) %}\(step){% endfor %}x"
        }
        for step in [
            "{% set ns.s = [ns.s] %}", "{% set ns.s = {'a': ns.s} %}", "{% set ns.s = [ns.s].count %}",
            "{% set ns.s = joiner(ns.s) %}",
        ] {
            #expect(try failure(chain(step)) == .limit, "\(step)")
        }
        for step in [
            "{% set ns.s = namespace(n=ns.s) %}", "{% set ns.s = {}[[ns.s]] %}", "{% set ns.s = 'a' | map('string') %}",
            "{% for x in [ns.s] %}{% set ns.s = loop %}{% endfor %}",
            "{% set y = ns.s %}{% macro m() %}{{ y }}{% endmacro %}{% set ns.s = m %}",
            // Loops that have ended, and hold the variables around them, or what they compare with next time.
            "{% macro m(s) %}{% for x in [1] recursive %}{% set ns.s = loop %}{% endfor %}{% endmacro %}{{ m(ns.s) }}",
            "{% macro m(s) %}{% for x in [1] if x %}{% set ns.s = loop %}{% endfor %}{% endmacro %}{{ m(ns.s) }}",
            "{% for x in [1] %}{% set ns.t = loop %}{% endfor %}{{ ns.t.changed(ns.s) }}{% set ns.s = ns.t %}",
        ] {
            #expect(try failure(chain(step)) == nil, "\(step)")
        }
        #expect(try failure("{% set ns = namespace() %}{% set ns.s = ns %}{{ ns }}") == .limit)
    }

    @Test func arithmeticNeverOverflows() throws {
        let least = "(-9223372036854775807 - 1)"
        for source in [
            "9223372036854775807 + 1", "\(least) - 1", "\(least) * -1", "\(least) // -1", "-\(least)", "\(least) | abs",
            "2 ** 64", "10 ** 10000000000", "9223372036854775808 + 1", "9223372036854775808 < 1",
            "9223372036854775807 | round(-1)", "'a'.index('b', 9223372036854775807)", "[1].index(2, \(least))",
        ] {
            #expect(try failure("{{ \(source) }}") == .evaluation, "\(source)")
        }
        for source in [
            "\(least) % -1", "'abc'[::\(least)]", "'abc'[\(least):9223372036854775807]", "[1][9223372036854775807]",
            "range(9223372036854775806, 9223372036854775807, 5)[::-1] | list", "(-1) ** 9223372036854775807",
            "1.5 | round(1000000000)", "1.5 | round(-1000000000)", "5 | round(-1000000000000)", "1e300 | int",
            "range(0, 9, 2)[::9223372036854775807]", "9223372036854775808", "[1] | slice(\(least)) | list",
            "[1] | batch(\(least), 1) | list", "range(\(least), 9223372036854775807, 9223372036854775807) | list",
            "range(9223372036854775807, \(least), \(least)) | list", "'a'.center(\(least))", "'a'.zfill(\(least))",
            "'a'.find('a', \(least), 9223372036854775807)", "'a'.split('b', \(least))", "'a' | indent(\(least))",
            "[1] | tojson(indent=\(least))", "'a'.expandtabs(\(least))", "1.5 | round(\(least))",
            "\(least) | round(-18)",
            "'a' | truncate(9223372036854775807)", "'a' | replace('a', 'b', \(least))", "'%d' % \(least)",
            "'{:,}'.format(\(least))", "'%x' % \(least)", "(\(least)).bit_length()", "[1][\(least)]",
        ] {
            #expect(try failure("{{ \(source) }}") == nil, "\(source)")
        }
    }

    @Test func nestingOfTheMessagesIsBounded() throws {
        var deep = JinjaValue.array([])
        for _ in 0..<200 { deep = .array([deep]) }
        #expect(try failure("{{ x }}", ["x": deep]) == .limit)
        #expect(try failure("{{ y }}", ["x": deep]) == nil)
    }
}
