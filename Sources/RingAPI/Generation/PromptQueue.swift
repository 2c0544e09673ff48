// Whose prompt is evaluated next. Pure.

/// Prompts that wait for their next chunk: the one nearest to its end goes first, but one row in
/// ``oldestShare`` is for the one that came first.
///
/// So a short prompt does not wait for long ones, and however many short ones come, a long one ends at the latest after
/// ``oldestShare`` times what it would take in order of arrival: until then it or one before it has been the first.
struct PromptQueue: Equatable, Sendable {
    static let oldestShare = 4

    /// A prompt and the rows that it has to send.
    struct Place: Comparable, Sendable {
        var rows: Int
        /// Ascends in order of arrival.
        var id: UInt64

        static func < (one: Place, two: Place) -> Bool { (one.rows, one.id) < (two.rows, two.id) }
    }

    /// Ascending.
    private var places: [Place] = []
    /// Rows that others were given before the oldest, as far as it had nothing for them yet.
    private var unshared = 0

    var isEmpty: Bool { places.isEmpty }
    /// In the order of their turns.
    var ids: some Sequence<UInt64> { places.lazy.map(\.id) }
    /// Rows that all prompts have to send.
    var rows: Int { places.reduce(0) { $0 + $1.rows } }
    /// The one that came first.
    var oldest: UInt64? { places.min { $0.id < $1.id }?.id }

    /// The first place behind `place`, which may be left by now; the first of all for `nil`.
    func next(after place: Place?) -> Place? {
        guard let place else { return places.first }
        return places.first { $0 > place }
    }

    /// Of `rows` rows of a step, those that are kept for the oldest.
    mutating func rowsForOldest(of rows: Int) -> Int {
        guard let oldest = places.min(by: { $0.id < $1.id }), oldest != places.first else {
            // What it is given anyway is more.
            unshared = 0
            return 0
        }
        unshared += rows
        defer { unshared %= Self.oldestShare }
        return min(unshared / Self.oldestShare, oldest.rows)
    }

    /// Puts a prompt in the place that it has with `rows` rows to send, or takes it out where it has none.
    /// - Returns: whether it was nearer to its turn before.
    @discardableResult mutating func put(_ id: UInt64, rows: Int) -> Bool {
        let old = places.firstIndex { $0.id == id }.map { places.remove(at: $0) }
        guard rows > 0 else { return false }
        let place = Place(rows: rows, id: id)
        places.insert(place, at: places.firstIndex { $0 > place } ?? places.endIndex)
        return old.map { $0 < place } ?? false
    }

    /// Takes out a prompt that is not to be evaluated any further.
    mutating func remove(_ id: UInt64) {
        places.removeAll { $0.id == id }
    }

    mutating func removeAll() {
        self = PromptQueue()
    }
}
