// JinjaInterpreter+Comparison: equality, order and membership of values.

extension JinjaInterpreter {
    /// Whether `left comparison right`.
    func holds(_ left: RenderValue, _ comparison: ComparisonOperator, _ right: RenderValue) throws -> Bool {
        switch comparison {
        case .equal: try equal(left, right)
        case .notEqual: !(try equal(left, right))
        case .less: try precedes(left, right, "<")
        case .greater: try precedes(right, left, ">")
        case .lessOrEqual: try precedesOrEquals(left, right, "<=")
        case .greaterOrEqual: try precedesOrEquals(right, left, ">=")
        case .isIn: try contains(right, left)
        case .isNotIn: !(try contains(right, left))
        }
    }

    // MARK: Equality

    func equal(_ left: RenderValue, _ right: RenderValue) throws -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)), (.string(let left), .markup(let right)),
            (.markup(let left), .string(let right)), (.markup(let left), .markup(let right)):
            guard left.utf8.count == right.utf8.count else { return false }
            try budget.scan(left)
            return PythonText.equal(left, right)
        case (.undefined, .undefined), (.none, .none): return true
        case (.list(let left), .list(let right)):
            return left === right ? true : try equal(left.elements, right.elements)
        case (.tuple(let left), .tuple(let right)): return try equal(left.elements, right.elements)
        case (.dict(let left), .dict(let right)): return left === right ? true : try equal(left, right)
        case (.range(let left), .range(let right)):
            guard left.count == right.count else { return false }
            return left.count == 0
                || left.start == right.start && (left.count == 1 || left.step == right.step)
        case (.object(let left), .object(let right)): return left === right
        case (.bigInteger(let left), .bigInteger(let right)): return left == right
        default:
            if let left = left.integer, let right = right.integer { return left == right }
            if case .double(let left) = left { return equal(left, right) }
            if case .double(let right) = right { return equal(right, left) }
            return false
        }
    }

    private func equal(_ left: Double, _ right: RenderValue) -> Bool {
        switch right {
        case .double(let right): left == right
        case .bigInteger(let digits): Double(digits) == left && left.isFinite
        // Exact: a large integer that rounds to the double is not equal to it.
        default: right.integer.map { Int(exactly: left) == $0 } ?? false
        }
    }

    func equal(_ left: [RenderValue], _ right: [RenderValue]) throws -> Bool {
        guard left.count == right.count else { return false }
        for (left, right) in zip(left, right) {
            try budget.step()
            guard try equal(left, right) else { return false }
        }
        return true
    }

    private func equal(_ left: RenderDict, _ right: RenderDict) throws -> Bool {
        guard left.keys.count == right.keys.count else { return false }
        for (key, value) in zip(left.keys, left.values) {
            try budget.step()
            guard let key = try budget.key(key), let other = right[key], try equal(value, other) else { return false }
        }
        return true
    }

    // MARK: Order

    /// Whether `left < right`; `symbol` is what the template wrote.
    func precedes(_ left: RenderValue, _ right: RenderValue, _ symbol: String = "<") throws -> Bool {
        if let (left, right) = try sequences(left, right) {
            for (left, right) in zip(left, right) {
                try budget.step()
                if try !equal(left, right) { return try precedes(left, right, symbol) }
            }
            return left.count < right.count
        }
        if let left = left.text, let right = right.text {
            try budget.search(left.utf8.count < right.utf8.count ? left : right)
            return PythonText.precedes(left, right)
        }
        return try ordered(left, right, symbol, integers: <, doubles: <)
    }

    private func precedesOrEquals(_ left: RenderValue, _ right: RenderValue, _ symbol: String) throws -> Bool {
        if try sequences(left, right) != nil || left.text != nil && right.text != nil {
            return try equal(left, right) || precedes(left, right, symbol)
        }
        return try ordered(left, right, symbol, integers: <=, doubles: <=)
    }

    private func sequences(_ left: RenderValue, _ right: RenderValue) throws -> ([RenderValue], [RenderValue])? {
        switch (left, right) {
        case (.list(let left), .list(let right)): (left.elements, right.elements)
        case (.tuple(let left), .tuple(let right)): (left.elements, right.elements)
        default: nil
        }
    }

    private func ordered(
        _ left: RenderValue, _ right: RenderValue, _ symbol: String, integers: (Int, Int) -> Bool,
        doubles: (Double, Double) -> Bool
    ) throws -> Bool {
        if let left = left.integer, let right = right.integer { return integers(left, right) }
        for case .bigInteger in [left, right] { throw failure("integers beyond 64 bits cannot be put in order") }
        if let left = left.number, let right = right.number { return doubles(left, right) }
        for case .undefined(let reason) in [left, right] { throw failure(reason.message) }
        // The operands were swapped for > and >=.
        let (first, second) = symbol.hasPrefix(">") ? (right, left) : (left, right)
        throw failure("'\(symbol)' not supported between instances of '\(first.typeName)' and '\(second.typeName)'")
    }

    // MARK: Membership

    /// Whether `item in container`.
    func contains(_ container: RenderValue, _ item: RenderValue) throws -> Bool {
        switch container {
        case .string(let text), .markup(let text):
            guard let part = item.text else {
                throw failure("'in <string>' requires string as left operand, not \(item.typeName)")
            }
            try budget.search(text)
            return PythonText.contains(text, part)
        case .dict(let dict): return try dict[key(item)] != nil
        case .object(let view as RenderDictView) where view.part == .keys: return try view.dict[key(item)] != nil
        default:
            var cursor = try cursor(over: container)
            while let candidate = try cursor.next() {
                try budget.step()
                if try equal(candidate, item) { return true }
            }
            return false
        }
    }

    /// `value` as the key of a dict.
    func key(_ value: RenderValue) throws -> RenderKey {
        guard let key = try budget.key(value) else { throw failure("unhashable type: '\(value.typeName)'") }
        return key
    }

    // MARK: Walking through

    /// The items of anything a loop can go through.
    func cursor(over value: RenderValue) throws -> RenderCursor {
        switch value {
        case .list(let list): return RenderCursor(list.elements)
        case .tuple(let tuple): return RenderCursor(tuple.elements)
        case .dict(let dict): return RenderCursor(dict.keys)
        case .range(let range): return RenderCursor(range)
        case .undefined: return RenderCursor([])
        case .string(let text), .markup(let text):
            try budget.allocateValues(text.utf8.count)
            return RenderCursor(text.unicodeScalars.map { .string(String($0)) })
        case .object(let view as RenderDictView):
            // Pairs are made here.
            try budget.allocateValues(view.dict.keys.count * 4)
            return RenderCursor(view.elements)
        case .object(let iterator as RenderIterator): return RenderCursor(iterator)
        default: throw failure("'\(value.typeName)' object is not iterable")
        }
    }

    /// All items of anything a loop can go through.
    func items(of value: RenderValue) throws -> [RenderValue] {
        if let elements = value.elements { return elements }
        var cursor = try cursor(over: value)
        if let count = cursor.count { try budget.allocateValues(count) }
        var items: [RenderValue] = []
        while let item = try cursor.next() {
            try budget.step()
            items.append(item)
        }
        return items
    }

    /// Python's `len`, nil where the value has none.
    func length(of value: RenderValue) throws -> Int? {
        switch value {
        case .undefined: return 0
        case .string(let text), .markup(let text):
            try budget.scan(text)
            return PythonText.scalarCount(text)
        case .list(let list): return list.elements.count
        case .tuple(let tuple): return tuple.elements.count
        case .dict(let dict): return dict.keys.count
        case .range(let range): return range.count
        case .object(let view as RenderDictView): return view.dict.keys.count
        case .object(let loop as RenderLoop): return try loop.count()
        default: return nil
        }
    }
}
