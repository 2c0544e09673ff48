// A token that may be chosen.

struct Candidate: Equatable, Sendable {
    var id: UInt32
    var logit: Float
    /// How likely it is beside the likeliest token, once that is known.
    var weight: Float = 0

    /// Whether it comes before `other` in the order of likelihood; of equally likely ones the lower id comes first.
    @inline(__always)
    func precedes(_ other: Candidate) -> Bool {
        logit != other.logit ? logit > other.logit : id < other.id
    }
}
