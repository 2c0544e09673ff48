// Memory that is handed out, taken back and bounded.

import Testing

@testable import Tensors

@Suite struct TensorArenaTests {
    @Test func piecesAreAlignedAndApart() throws {
        let arena = TensorArena(bytesMax: 1 << 20)
        let pieces = try [1, 64, 65, 1000].map { (try arena.allocate(bytes: $0), $0) }
        for (piece, _) in pieces { #expect(UInt(bitPattern: piece) % 64 == 0) }
        for ((piece, bytes), (next, _)) in zip(pieces, pieces.dropFirst()) { #expect(next - piece >= bytes) }
    }

    @Test func whatIsReleasedIsHandedOutAgain() throws {
        let arena = TensorArena(bytesMax: 1 << 20)
        let kept = try arena.allocate(bytes: 100)
        let mark = arena.mark()
        let first = try arena.allocate(bytes: 200)
        arena.release(to: mark)
        #expect(arena.usedBytes == 128)
        #expect(try arena.allocate(bytes: 300) == first)
        arena.reset()
        #expect(try arena.allocate(bytes: 5) == kept)
    }

    @Test func aMarkReachesBackOverChunks() throws {
        let arena = TensorArena(bytesMax: 64 << 20)
        _ = try arena.allocate(bytes: 600_000)
        let mark = arena.mark()
        let second = try arena.allocate(bytes: 100_000)
        _ = try arena.allocate(bytes: 5_000_000)
        arena.release(to: mark)
        #expect(try arena.allocate(bytes: 100_000) == second)
    }

    @Test func stepsOfASizeSeenBeforeAskTheSystemForNothing() throws {
        let arena = TensorArena(bytesMax: 64 << 20)
        func step() throws {
            arena.reset()
            for _ in 0..<20 { _ = try arena.allocate(bytes: 300_000) }
        }
        try step()
        try step()
        let reserved = arena.reservedBytes
        for _ in 0..<3 { try step() }
        #expect(arena.reservedBytes == reserved)
        #expect(arena.usedBytesPeak == 20 * 300_032)
        #expect(reserved <= 2 * arena.usedBytesPeak)
    }

    @Test func theLimitHolds() throws {
        let arena = TensorArena(bytesMax: 2_000_000)
        _ = try arena.allocate(bytes: 1_500_000)
        #expect(throws: TensorError.arenaFull(requestedBytes: 1_000_000, usedBytes: 1_500_032, bytesMax: 2_000_000)) {
            try arena.allocate(bytes: 1_000_000)
        }
        #expect(arena.reservedBytes <= 2_000_000)
        arena.reset()
        _ = try arena.allocate(bytes: 2_000_000)
    }
}
