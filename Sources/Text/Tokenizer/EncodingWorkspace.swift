// What one thread needs while it encodes a text, kept for the next one.

import Synchronization

/// Buffers, the cache of pieces and the scratch of the regular expressions. Used by one call at a time.
///
/// Unchecked: an `EncodingWorkspacePool` hands it to one caller at a time, under a lock.
final class EncodingWorkspace: @unchecked Sendable {
    let cache = PieceCache()
    let expressionScratch = RegularExpressionScratch()
    /// Pieces of the text at hand, and those the next rule makes of them.
    var pieces = ScratchBuffer<ByteRange>(capacity: 1024)
    var nextPieces = ScratchBuffer<ByteRange>(capacity: 1024)
    /// The text at hand after a normalizer's rule, and room for the next rule's result.
    var normalized = ScratchBuffer<UInt8>(capacity: 1024)
    var nextNormalized = ScratchBuffer<UInt8>(capacity: 1024)
    /// The text at hand with blanks put before its pieces.
    let prefixed = ScratchBuffer<UInt8>(capacity: 1024)
    let merging = MergingWorkspace()

    /// Elements a buffer may keep between texts; what a very long text needed beyond goes back.
    private static let keptElementsMax = 1 << 18

    /// Gives back what a very long text needed.
    func shrink() {
        pieces.shrink(toCapacity: Self.keptElementsMax)
        nextPieces.shrink(toCapacity: Self.keptElementsMax)
        normalized.shrink(toCapacity: Self.keptElementsMax)
        nextNormalized.shrink(toCapacity: Self.keptElementsMax)
        prefixed.shrink(toCapacity: Self.keptElementsMax)
        merging.shrink(toCapacity: Self.keptElementsMax)
    }
}

/// Workspaces that are not in use. Taking one costs a lock for each text, none for each piece.
final class EncodingWorkspacePool: Sendable {
    /// Workspaces kept: as many texts as are likely to be encoded at once. More at a time make their own and drop it.
    private static let idleCountMax = 8

    private let idle = Mutex<[EncodingWorkspace]>([])

    /// Runs a body with a workspace that nobody else uses meanwhile.
    func withWorkspace<Result>(_ body: (EncodingWorkspace) throws -> Result) rethrows -> Result {
        let workspace = idle.withLock { $0.popLast() } ?? EncodingWorkspace()
        defer {
            workspace.shrink()
            idle.withLock { if $0.count < Self.idleCountMax { $0.append(workspace) } }
        }
        return try body(workspace)
    }
}
