import time
t0=time.time()
from benchmarks.measure import *
from benchmarks.throughput import *
print("import",time.time()-t0)
def main():
    task = config("task=babi","task.source=generated","task.size=200","task.generator.test=50")
    model = config("model=lstm")["model"]
    for i in range(3):
        t0=time.time(); m=Measurer(of_zoo, model, task, "1", 1, .01); t1=time.time(); m.ask("train"); t2=time.time(); m.ask("train"); t3=time.time(); m.close()
        print(f"start {t1-t0:.2f} train {t2-t1:.2f} again {t3-t2:.2f} close {time.time()-t3:.2f}",flush=True)
if __name__=="__main__": main()
