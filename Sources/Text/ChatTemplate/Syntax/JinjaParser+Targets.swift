// JinjaParser+Targets: tokens to what an assignment writes to.

/// What an assignment writes to, before it is known where the names live.
indirect enum TargetNames {
    case variable(String)
    case namespaceAttribute(String, String)
    case tuple([TargetNames])

    func forEachVariable(_ body: (String) throws -> Void) rethrows {
        switch self {
        case .variable(let name): try body(name)
        case .namespaceAttribute: break
        case .tuple(let names): for name in names { try name.forEachVariable(body) }
        }
    }

    /// The target with slots, for names only.
    func declared(_ slot: (String) -> Int) -> AssignmentTarget {
        switch self {
        case .variable(let name): .variable(slot: slot(name))
        case .namespaceAttribute(let name, let attribute):
            .namespaceAttribute(slot: slot(name), variable: name, attribute: attribute)
        case .tuple(let names): .tuple(names.map { $0.declared(slot) })
        }
    }
}

extension JinjaParser {
    func storeTarget(_ names: TargetNames) -> AssignmentTarget {
        switch names {
        case .variable(let name): .variable(slot: scope.store(name))
        case .namespaceAttribute(let name, let attribute):
            .namespaceAttribute(slot: scope.load(name), variable: name, attribute: attribute)
        case .tuple(let names): .tuple(names.map(storeTarget))
        }
    }

    /// Names to assign to, with or without commas or brackets; `end` is the word that follows them.
    mutating func parseTargetNames(allowsNamespace: Bool, end: String?) throws -> TargetNames {
        var targets: [TargetNames] = []
        while true {
            if case .blockEnd = current.kind { break }
            if isAt(.rightParenthesis) || isAt(.assign) || end.map({ isAt(name: $0) }) ?? false { break }
            targets.append(try parseTargetName(allowsNamespace: allowsNamespace))
            guard take(.comma) else {
                if targets.count == 1 { return targets[0] }
                break
            }
        }
        guard !targets.isEmpty else { throw failure("expected a name to assign to, got \(current.description)") }
        return .tuple(targets)
    }

    mutating func parseTargetName(allowsNamespace: Bool) throws -> TargetNames {
        if take(.leftParenthesis) {
            let names = try nested { try $0.parseTargetNames(allowsNamespace: allowsNamespace, end: nil) }
            try expect(.rightParenthesis)
            return names
        }
        let nameLine = line
        let name = try expectName()
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
            throw failure("cannot assign to '\(name)'", line: nameLine)
        }
        if allowsNamespace, take(.dot) { return .namespaceAttribute(name, try expectName()) }
        return .variable(name)
    }
}
