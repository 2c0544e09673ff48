// RenderContainers: lists, tuples, dicts and ranges while a template renders. None of them ever changes.

/// A list, made once.
final class RenderList {
    let elements: [RenderValue]
    /// Levels of containers, this one included; see `RenderBudget.nesting(of:)`.
    let nesting: Int

    init(elements: [RenderValue], nesting: Int) {
        self.elements = elements
        self.nesting = nesting
    }
}

/// A tuple, made once.
final class RenderTuple {
    let elements: [RenderValue]
    let nesting: Int
    /// The names of its fields where it has any: `groupby` makes such tuples.
    let fieldNames: [String]

    init(elements: [RenderValue], nesting: Int, fieldNames: [String] = []) {
        self.elements = elements
        self.nesting = nesting
        self.fieldNames = fieldNames
    }
}

/// The integers from `start` by `step`, at most `JinjaLimits.rangeItemsMax` of them.
final class RenderRange {
    let start: Int
    let stop: Int
    let step: Int
    let count: Int

    init(start: Int, stop: Int, step: Int, count: Int) {
        self.start = start
        self.stop = stop
        self.step = step
        self.count = count
    }

    /// The item at `index`, which is below `count`: it fits, though the distance from the start may not.
    subscript(index: Int) -> RenderValue { .int(start &+ index &* step) }
}

/// A dict, made once, in the order of insertion.
final class RenderDict {
    let keys: [RenderValue]
    let values: [RenderValue]
    let nesting: Int

    private static let searchedKeysMax = 12
    private lazy var positions: [RenderKey: Int] = {
        var positions: [RenderKey: Int] = [:]
        for (position, key) in keys.enumerated() {
            if let key = RenderKey(anything: key) { positions[key] = position }
        }
        return positions
    }()

    /// A dict of these members, whose keys are known to differ.
    init(distinctKeys keys: [RenderValue], values: [RenderValue], nesting: Int) {
        self.keys = keys
        self.values = values
        self.nesting = nesting
    }

    subscript(key: String) -> RenderValue? {
        if keys.count > Self.searchedKeysMax { return positions[.string(PythonText.Key(key))].map { values[$0] } }
        let position = keys.firstIndex { candidate in
            switch candidate {
            case .string(let candidate), .markup(let candidate): PythonText.equal(candidate, key)
            default: false
            }
        }
        return position.map { values[$0] }
    }

    subscript(key: RenderKey) -> RenderValue? {
        if case .string(let key) = key { return self[key.text] }
        return positions[key].map { values[$0] }
    }
}
