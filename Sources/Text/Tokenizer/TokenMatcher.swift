// Finds the first and longest of many fixed byte strings in a text.

/// A set of byte strings, each with a number, looked for all at once: a tree of their bytes.
struct TokenMatcher: Sendable {
    private struct Node: Sendable {
        let byte: UInt8
        var firstChild: Int32 = -1
        var nextSibling: Int32 = -1
        /// The number of the string that ends here, or -1.
        var number: Int32 = -1
    }

    /// The first is the root. Few bytes follow a prefix in practice, so children are a linked list.
    private var nodes = [Node(byte: 0)]
    /// [byte] the root's child, or -1: most bytes of a text begin no string and cost one look here.
    private var firstNodes = [Int32](repeating: -1, count: 256)

    /// Adds a string, which must not be empty. Of equal strings the last one counts.
    mutating func insert(_ content: some Collection<UInt8>, number: Int) {
        var node = 0
        for byte in content {
            node = child(of: node, byte) ?? addChild(of: node, byte)
        }
        nodes[node].number = Int32(number)
    }

    /// The leftmost match at or after an offset and, of those starting there, the longest.
    func firstMatch(in text: UnsafeBufferPointer<UInt8>, from offset: Int) -> (range: ByteRange, number: Int)? {
        firstNodes.withUnsafeBufferPointer { firstNodes in
            var start = offset
            while start < text.count {
                if firstNodes[Int(text[start])] >= 0, let match = longestMatch(in: text, at: start) { return match }
                start += 1
            }
            return nil
        }
    }

    private func longestMatch(
        in text: UnsafeBufferPointer<UInt8>, at start: Int
    ) -> (range: ByteRange, number: Int)? {
        var longest: (range: ByteRange, number: Int)?
        var node = Int(firstNodes[Int(text[start])])
        var end = start + 1
        while true {
            if nodes[node].number >= 0 {
                longest = (ByteRange(start: start, end: end), Int(nodes[node].number))
            }
            guard end < text.count, let next = child(of: node, text[end]) else { return longest }
            node = next
            end += 1
        }
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        var child = nodes[node].firstChild
        while child >= 0 {
            if nodes[Int(child)].byte == byte { return Int(child) }
            child = nodes[Int(child)].nextSibling
        }
        return nil
    }

    private mutating func addChild(of node: Int, _ byte: UInt8) -> Int {
        let child = nodes.count
        nodes.append(Node(byte: byte, nextSibling: nodes[node].firstChild))
        nodes[node].firstChild = Int32(child)
        if node == 0 { firstNodes[Int(byte)] = Int32(child) }
        return child
    }
}
