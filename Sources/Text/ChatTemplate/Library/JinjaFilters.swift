// JinjaFilters: the filters a template can apply, by name. Their bodies are in the files JinjaFilters+….

/// The filters a template can apply.
enum JinjaFilters {
    /// What a filter does with a value and its arguments.
    typealias Body = @Sendable (JinjaInterpreter, RenderValue, inout ArgumentReader) throws -> RenderValue

    static func named(_ name: String) -> Body? { name.utf8.count <= nameBytesMax ? all[name] : nil }

    /// No name of a filter or test is longer; looking up a long one takes time.
    static let nameBytesMax = 16

    static func unknown(_ name: String) -> String {
        guard name.utf8.count <= 100 else { return "there is no filter of such a long name" }
        return leftOut.contains(name) ? "the filter '\(name)' is not supported" : "there is no filter '\(name)'"
    }

    /// Filters of Jinja that no prompt has a use for: HTML of links, Python's pretty printer, its text wrapper.
    private static let leftOut: Set<String> = ["urlize", "pprint", "wordwrap"]

    private static let all: [String: Body] = [
        "abs": absolute, "attr": attr, "batch": batch, "capitalize": capitalize, "center": center, "count": length,
        "d": defaulted, "default": defaulted, "dictsort": dictsort, "e": escape, "escape": escape,
        "filesizeformat": filesizeformat, "first": first, "float": float, "forceescape": forceescape,
        "format": format, "groupby": groupby, "indent": indent, "int": int, "items": items, "join": join,
        "last": last, "length": length, "list": list, "lower": lower, "map": map, "max": maximum, "min": minimum,
        "random": random, "reject": reject, "rejectattr": rejectattr, "replace": replace, "reverse": reverse,
        "round": round, "safe": safe, "select": select, "selectattr": selectattr, "slice": slice, "sort": sort,
        "string": string, "striptags": striptags, "sum": sum, "title": title, "tojson": JinjaJSON.filter,
        "trim": trim, "truncate": truncate, "unique": unique, "upper": upper, "urlencode": urlencode,
        "wordcount": wordcount, "xmlattr": xmlattr,
    ]

    // MARK: Looking into items

    /// What `attribute='a.b.0'` takes from an item: keys and indices, one inside the other. Nil for the item itself.
    typealias Path = [RenderValue]

    static func path(_ attribute: RenderValue?, _ interpreter: JinjaInterpreter) throws -> Path? {
        guard let attribute, !attribute.isNone else { return nil }
        guard let text = attribute.text else { return [attribute] }
        return try parts(of: text, cutAt: ".", interpreter).map { part in
            PythonCase.all(part, PythonCase.isDigit) ? Int(part).map { .int($0) } ?? .string(part) : .string(part)
        }
    }

    static func parts(
        of text: String, cutAt separator: String, _ interpreter: JinjaInterpreter
    ) throws -> [String] {
        try interpreter.budget.walk(text)
        let offsets = PythonText.offsets(of: separator, in: text)
        try interpreter.budget.allocateValues(2 * offsets.count)
        return PythonText.cut(text, at: offsets, separatorBytes: separator.utf8.count)
    }

    static func value(
        of item: RenderValue, at path: Path?, missing: RenderValue? = nil, _ interpreter: JinjaInterpreter
    ) throws -> RenderValue {
        var value = item
        for part in path ?? [] {
            try interpreter.budget.step()
            value = try interpreter.item(part, of: value)
            if let missing, value.isUndefined { value = missing }
        }
        return value
    }

    /// `value` for comparing without regard to case.
    static func foldingCase(_ value: RenderValue, _ interpreter: JinjaInterpreter) throws -> RenderValue {
        guard let text = value.text else { return value }
        try interpreter.budget.allocateString(text.utf8.count)
        return .string(PythonCase.lower(text))
    }

    /// The positions of `keys` in ascending order; equal ones stay as they are.
    static func order(
        _ keys: [RenderValue], isReversed: Bool, _ interpreter: JinjaInterpreter
    ) throws -> [Int] {
        try Array(keys.indices).sorted { left, right in
            try interpreter.budget.step()
            let (first, second) = isReversed ? (right, left) : (left, right)
            if try interpreter.precedes(keys[first], keys[second]) { return true }
            if try interpreter.precedes(keys[second], keys[first]) { return false }
            return left < right
        }
    }

    /// The items `make` appends, with an error on the way kept for whoever walks as far.
    static func iterator(
        _ interpreter: JinjaInterpreter, _ make: (inout [RenderValue]) throws -> Void
    ) throws -> RenderValue {
        var items: [RenderValue] = []
        do {
            try make(&items)
        } catch let error as ChatTemplateError where error.kind != .limit {
            return try interpreter.budget.iterator(items, failure: error)
        }
        return try interpreter.budget.iterator(items)
    }
}
