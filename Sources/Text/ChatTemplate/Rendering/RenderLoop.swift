// RenderLoop: walks through the items of a `for`, and is what the template sees as `loop`.

/// Goes through the items of a value one at a time.
struct RenderCursor {
    private enum Source {
        case items([RenderValue])
        case range(RenderRange)
        case iterator(RenderIterator)
    }

    private let source: Source
    private var position = 0

    init(_ items: [RenderValue]) { source = .items(items) }
    init(_ range: RenderRange) { source = .range(range) }
    init(_ iterator: RenderIterator) { source = .iterator(iterator) }

    /// The number of all items, where that is known without walking through them.
    var count: Int? {
        switch source {
        case .items(let items): items.count
        case .range(let range): range.count
        case .iterator: nil
        }
    }

    mutating func next() throws -> RenderValue? {
        defer { position += 1 }
        switch source {
        case .items(let items): return position < items.count ? items[position] : nil
        case .range(let range): return position < range.count ? range[position] : nil
        case .iterator(let iterator): return try iterator.next()
        }
    }
}

/// A `for` under way. Items are asked for as the loop goes on: a `for … if` tests each in its turn, when the body
/// may already have changed a namespace that the test looks at.
final class RenderLoop: RenderObject {
    private var cursor: RenderCursor
    private var passes: ((RenderValue) throws -> Bool)?
    /// Items asked for ahead of their turn, by `loop.last` and its like.
    private var ahead: ArraySlice<RenderValue> = []
    private var isExhausted = false
    private var knownCount: Int?

    private(set) var index0 = -1
    private(set) var previous: RenderValue?
    private(set) var current: RenderValue?
    private var lastChanged: [RenderValue]?
    private var isFinished = false
    /// The recursive loop this is a round of.
    private(set) var recursion: Recursion?

    /// What a recursive loop needs to call itself.
    struct Recursion {
        let statement: LoopStatement
        let scope: RenderScope
        let depth0: Int
    }

    /// A loop over `cursor`'s items that pass `filter`.
    init(_ cursor: RenderCursor, recursion: Recursion?, filter: ((RenderValue) throws -> Bool)?) {
        self.cursor = cursor
        self.recursion = recursion
        passes = filter
        knownCount = filter == nil ? cursor.count : nil
    }

    override var typeName: String { "LoopContext" }
    override var isCallable: Bool { true }

    /// The next item, which becomes the current one.
    func next() throws -> RenderValue? {
        guard let item = try ahead.popFirst() ?? fetch() else { return nil }
        index0 += 1
        previous = current
        current = item
        return item
    }

    private func fetch() throws -> RenderValue? {
        while !isExhausted {
            guard let item = try cursor.next() else {
                isExhausted = true
                break
            }
            if try passes?(item) ?? true { return item }
        }
        return nil
    }

    /// The item after the current one.
    func peek() throws -> RenderValue? {
        if ahead.isEmpty, let item = try fetch() { ahead.append(item) }
        return ahead.first
    }

    /// The number of all items.
    func count() throws -> Int {
        if let knownCount { return knownCount }
        while let item = try fetch() { ahead.append(item) }
        let count = index0 + 1 + ahead.count
        knownCount = count
        return count
    }

    /// Whether `values` differ from those of the last call. A loop that has ended keeps them too, which makes it one
    /// of the `loops` to let go of when the rendering ends.
    func changed(
        _ values: [RenderValue], loops: inout [RenderLoop], equal: ([RenderValue], [RenderValue]) throws -> Bool
    ) throws -> Bool {
        if let lastChanged, try equal(lastChanged, values) { return false }
        if isFinished, lastChanged == nil { loops.append(self) }
        lastChanged = values
        return true
    }

    /// Lets go of the items: the template may hold on to the loop, and loops must not hold one another.
    func finish() {
        isFinished = true
        cursor = RenderCursor([])
        ahead = []
        isExhausted = true
        passes = nil
        previous = nil
        current = nil
        lastChanged = nil
    }

    /// Lets go of what an ended loop still needs while the rendering lasts.
    func release() {
        lastChanged = nil
        recursion = nil
    }
}
