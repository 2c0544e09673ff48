// Files of which some has arrived: what is recorded is there, and what is not recorded does not count.

import Glibc
import Testing

@testable import Hub

@Suite struct PartialFileTests {
    private let directory: TemporaryDirectory
    private let contents = bytes(10_000)
    /// `sha256sum` of `contents` is computed by the code under test; ``DigestTests`` compares it with others.
    private let digest = String(repeating: "ab", count: 32)

    init() throws { directory = try TemporaryDirectory() }

    private func open() throws -> PartialFile {
        try PartialFile(in: directory.path, digest: digest, size: UInt64(contents.count))
    }

    private func put(_ range: Range<Int>, into file: PartialFile) throws {
        try contents[range].withUnsafeBytes { (bytes) throws in try file.write(bytes, at: UInt64(range.lowerBound)) }
        try file.add(RangeSet(UInt64(range.lowerBound)..<UInt64(range.upperBound)))
    }

    private func recorded() -> RangeSet<UInt64>? {
        PartialFile.present(in: directory.path, digest: digest, size: UInt64(contents.count))?.1
    }

    @Test func remembersWhatArrived() throws {
        let file = try open()
        #expect(recorded() == nil)
        try put(100..<200, into: file)
        try put(150..<300, into: file)
        try put(5000..<10_000, into: file)
        #expect(recorded() == RangeSet([100..<300, 5000..<10_000]))
        #expect(try open().present() == RangeSet([100..<300, 5000..<10_000]))
        #expect(try SmallFile.read(file.path, bytesMax: 1 << 20)[100..<300] == contents[100..<300])
        #expect(!file.isWhole)
    }

    @Test func twoProcessesAddToOneRecord() throws {
        let (one, other) = (try open(), try open())
        try put(0..<4000, into: one)
        try put(6000..<8000, into: other)
        #expect(one.present() == RangeSet([0..<4000, 6000..<8000]))
        try put(4000..<6000, into: one)
        try put(8000..<10_000, into: other)
        #expect(one.isWhole && other.isWhole)
    }

    @Test func oneRangeIsClaimedOnce() throws {
        let (one, other) = (try open(), try open())
        #expect(one.claim(0..<1000))
        #expect(!other.claim(500..<600) && other.claim(1000..<2000))
        #expect(!one.claim(1999..<3000))
        one.giveUp(0..<1000)
        #expect(other.claim(500..<600))
    }

    @Test func aRecordWithoutItsFileCountsForNothing() throws {
        try put(0..<4000, into: try open())
        unlink(try open().path)
        #expect(recorded() == nil)
        #expect(try open().present().isEmpty)
    }

    @Test(arguments: [
        "", "ring ranges 1", "ring ranges 1\n9999\n0-5\n", "ring ranges 2\n10000\n0-5\n", "ring ranges 1\n10000\n5-5\n",
        "ring ranges 1\n10000\n0-10001\n", "ring ranges 1\n10000\n0\n", "ring ranges 1\n10000\n-5\n",
        "ring ranges 1\n10000\nx-y\n",
        "ring ranges 1\n10000\n0-18446744073709551616\n",
    ])
    func aRecordThatIsNoneCountsForNothing(record: String) throws {
        let file = try open()
        try put(0..<4000, into: file)
        try SmallFile.write(Array(record.utf8), to: "\(directory.path)/\(digest).ranges")
        #expect(recorded() == nil)
    }

    @Test func aFileOfAnotherSizeIsBegunAnew() throws {
        try put(0..<10_000, into: try open())
        let other = try PartialFile(in: directory.path, digest: digest, size: 20_000)
        #expect(other.present().isEmpty)
        #expect(SmallFile.size(other.path) == 20_000)
    }

    @Test func becomesABlobOnlyWhenItMatches() throws {
        let blob = "\(directory.path)/blob"
        let damaged = try open()
        try put(0..<10_000, into: damaged)
        let error = #expect(throws: HubError.self) {
            _ = try damaged.promote(to: blob, digest: digest, name: "x.safetensors", isInterrupted: { false })
        }
        #expect(error?.kind == .damaged && error?.description.contains("x.safetensors") == true)
        #expect(SmallFile.size(blob) == nil && recorded() == nil)
        // What another process writes into the file that was removed does not come back.
        #expect(throws: HubError.self) { try put(0..<10, into: damaged) }
        #expect(recorded() == nil)

        let right = try open()
        try put(0..<10_000, into: right)
        let descriptor = Glibc.open(right.path, O_RDONLY)
        defer { close(descriptor) }
        let real = try #require(try Digest.sha256.ofFile(descriptor, byteCount: 10_000, isInterrupted: { false }))
        let stopped = try right.promote(to: blob, digest: real, name: "x", isInterrupted: { true })
        #expect(!stopped && SmallFile.size(blob) == nil)
        let isDone = try right.promote(to: blob, digest: real, name: "x", isInterrupted: { false })
        #expect(isDone)
        #expect(try SmallFile.read(blob, bytesMax: 1 << 20) == contents)
    }
}
