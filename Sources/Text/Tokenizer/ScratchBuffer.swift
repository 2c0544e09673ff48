// A growing array that is reused from call to call and whose elements stay where they are while nothing is appended.

/// Room for trivial values, kept from one use to the next, so that encoding allocates nothing once it is warm.
/// Elements are read through `elements`, a view that is valid until the next append.
final class ScratchBuffer<Element: BitwiseCopyable> {
    private var storage: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        storage = .allocate(capacity: max(capacity, 1))
        self.capacity = max(capacity, 1)
    }

    deinit {
        storage.deallocate()
    }

    var elements: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: storage, count: count) }

    func removeAll() {
        count = 0
    }

    /// Drops the elements behind the first `newCount`.
    func truncate(to newCount: Int) {
        count = min(count, newCount)
    }

    @inline(__always)
    func append(_ element: Element) {
        if count == capacity { grow(to: count + 1) }
        storage[count] = element
        count += 1
    }

    func append(contentsOf elements: UnsafeBufferPointer<Element>) {
        guard let source = elements.baseAddress else { return }
        if count + elements.count > capacity { grow(to: count + elements.count) }
        (storage + count).update(from: source, count: elements.count)
        count += elements.count
    }

    /// Gives memory above this capacity back, so that one huge text does not hold it for ever.
    func shrink(toCapacity largest: Int) {
        count = 0
        guard capacity > largest else { return }
        storage.deallocate()
        storage = .allocate(capacity: largest)
        capacity = largest
    }

    private func grow(to needed: Int) {
        let newCapacity = max(needed, 2 * capacity)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: newCapacity)
        larger.update(from: storage, count: count)
        storage.deallocate()
        storage = larger
        capacity = newCapacity
    }
}
