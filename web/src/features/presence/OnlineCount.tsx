import { useEffect, useState } from 'react';

import { useObservable } from '../../components/ui/useObservable';
import { Online } from './online';

/** How many people are online anywhere. An unknown number is shown as such, never as zero. */
export function OnlineCount() {
  const [online] = useState(() => new Online());
  useEffect(() => {
    online.start();
    return () => online.close();
  }, [online]);
  const people = useObservable(online.people);
  return (
    <span className="online">
      Online: <strong data-testid="online">{people ?? 'unavailable'}</strong>
    </span>
  );
}
