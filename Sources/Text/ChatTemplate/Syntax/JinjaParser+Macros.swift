// JinjaParser+Macros: tokens to macros and calls with a body.

extension JinjaParser {
    mutating func withoutLoops<Result>(_ read: (inout Self) throws -> Result) throws -> Result {
        let outerLoopDepth = loopDepth
        loopDepth = 0
        defer { loopDepth = outerLoopDepth }
        return try read(&self)
    }

    mutating func parseMacro(line: Int) throws -> Statement {
        let name = try expectName()
        let slot = scope.store(name)
        guard isAt(.leftParenthesis) else { throw failure("expected '(' after the macro's name") }
        return .macro(try parseMacroDefinition(name: name, end: "endmacro", line: line), slot: slot)
    }

    mutating func parseCall(line: Int) throws -> Statement {
        // The call stands between the parameters and the body, but its names belong outside.
        let outer = scope
        var call: Expression?
        let caller = try parseMacroDefinition(name: nil, end: "endcall", line: line) { parser in
            let inner = parser.scope
            parser.scope = outer
            defer { parser.scope = inner }
            let expression = try parser.parseExpression()
            guard case .chain(_, let links) = expression.kind, case .call? = links.last else {
                throw parser.failure("expected a call after 'call'", line: line)
            }
            call = expression
        }
        guard let call else { throw failure("expected a call after 'call'", line: line) }
        return .call(call, caller: caller)
    }

    mutating func parseMacroDefinition(
        name: String?, end: String, line: Int, beforeBody: (inout Self) throws -> Void = { _ in }
    ) throws -> MacroDefinition {
        let ((parameters, body, specials), bodyScope) = try inScope(.macro) { parser in
            try parser.withoutLoops { parser in
                let parameters = parser.isAt(.leftParenthesis) ? try parser.parseParameters() : []
                try beforeBody(&parser)
                let body = try parser.parseBlock(until: [end]).body
                let scope = parser.scope
                let specials = [MacroSpecials.caller, MacroSpecials.varargs, MacroSpecials.kwargs].map { special in
                    parameters.contains { $0.name == special } ? nil : scope.parameterSlot(special)
                }
                return (parameters, body, specials)
            }
        }
        return MacroDefinition(
            name: name, parameters: parameters, body: body, scope: bodyScope, callerSlot: specials[0],
            varargsSlot: specials[1], kwargsSlot: specials[2], line: line)
    }

    mutating func parseParameters() throws -> [MacroParameter] {
        var parameters: [MacroParameter] = []
        try expect(.leftParenthesis)
        while !isAt(.rightParenthesis) {
            if !parameters.isEmpty { try expect(.comma) }
            let name = try expectName()
            guard !parameters.contains(where: { $0.name == name }) else {
                throw failure("the parameter '\(name)' stands there twice")
            }
            let slot = scope.declareParameter(name)
            var initial: Expression?
            if take(.assign) {
                initial = try parseExpression()
            } else if parameters.last?.initial != nil {
                throw failure("a parameter without a default follows one with a default")
            }
            parameters.append(MacroParameter(name: name, slot: slot, initial: initial))
        }
        try expect(.rightParenthesis)
        return parameters
    }
}
